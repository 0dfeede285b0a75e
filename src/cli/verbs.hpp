#pragma once

// The verbs of the `rondo` command, one file each. A verb gets the words after its name, prints its
// help for --help, and returns the exit code. It may throw UsageError.

#include <span>

namespace rondo::cli {

int draw_verb(std::span<char* const> args);
int env_verb(std::span<char* const> args);
int export_verb(std::span<char* const> args);
int explain_verb(std::span<char* const> args);
int mpi_verb(std::span<char* const> args);
int plan_verb(std::span<char* const> args);
int run_verb(std::span<char* const> args);
int schedule_verb(std::span<char* const> args);
int topo_verb(std::span<char* const> args);
int simulate_verb(std::span<char* const> args);
int tune_verb(std::span<char* const> args);
int verify_verb(std::span<char* const> args);

}  // namespace rondo::cli
