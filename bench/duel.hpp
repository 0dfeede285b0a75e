#pragma once

// Two libraries among the same ranks: every kind of call with the one and the other in turns, so
// that whatever else the machine does meets both.

#include <array>
#include <iosfwd>

#include "bench/library.hpp"
#include "bench/options.hpp"

namespace rondo::bench {

/// Rounds of each kind of call; the order of the two changes from one to the next.
inline constexpr int duel_rounds = 6;

/// One column of times a library: the median of the rounds' p50, and the second as so many times
/// the first. "N/A" for calls that a library does not have. Runs on every rank, and rank 0 prints.
/// Returns the exit code of this rank.
int run_duel(const std::array<Library*, 2>& libraries, const Options& options, std::ostream& out);

}  // namespace rondo::bench
