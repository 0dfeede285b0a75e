#pragma once

// A whole run: every size, type, operation and root that the options ask for.

#include <iosfwd>
#include <vector>

#include "bench/library.hpp"
#include "bench/options.hpp"

namespace rondo::bench {

inline constexpr int exit_wrong = 1;
inline constexpr int exit_usage = 2;

/// All kinds of calls of a run, in the order of the table.
std::vector<Case> all_cases(const Options& options, int ranks);

/// Runs on every rank with its own Library; rank 0 prints to `out` and writes the JSON file.
/// Returns the exit code of this rank.
int run_suite(Library& library, const Options& options, std::ostream& out);

}  // namespace rondo::bench
