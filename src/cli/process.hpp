#pragma once

// Starting one rank as a process of its own.

#include <sched.h>
#include <signal.h>
#include <sys/types.h>

#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "rondo/error.hpp"

namespace rondo::cli {

using Environment = std::vector<std::pair<std::string, std::string>>;

struct ProcessPlan {
  std::span<char* const> command;         ///< program and arguments
  Environment environment;                ///< added to our own, or in place of it
  std::vector<std::string> removed = {};  ///< variables of ours that it must not see
  int standard_input = 0;
  int standard_output = 1;
  int standard_error = 2;
  std::optional<cpu_set_t> cpus = {};
  sigset_t signal_mask = {};
};

/// The program is not there or cannot be run; `exit_code` is what a shell would return.
struct CannotStart : Error {
  CannotStart(std::string text, int code)
      : Error(ErrorCode::io, std::move(text)), exit_code(code) {}
  int exit_code;
};

/// Starts the program in a process group of its own. It is killed when we die. Throws CannotStart,
/// or Error when the system has no more processes or pipes.
pid_t start_process(const ProcessPlan& plan);

/// "exited with code 3", "was killed by SIGSEGV".
std::string describe_end(const siginfo_t& end);
/// The code that a shell would give.
int exit_code_of(const siginfo_t& end);
std::string signal_name(int signal);

}  // namespace rondo::cli
