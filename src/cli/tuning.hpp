#pragma once

// Measuring all candidates of a collective on the present world.

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "plan/planner.hpp"
#include "rondo/communicator.hpp"

namespace rondo::cli {

/// A candidate and its median time, of the slowest rank.
struct Timed {
  Candidate candidate;
  double predicted_s = 0;
  double measured_s = 0;
};

/// What was found at one size.
struct Tuned {
  std::uint64_t bytes = 0;        ///< of the vector
  std::size_t chosen = 0;         ///< index of the planner's choice
  std::size_t best = 0;           ///< index of the fastest
  std::vector<Timed> timed = {};  ///< those that are not far too slow
  double ratio() const { return timed[chosen].measured_s / timed[best].measured_s; }
};

/// All ranks call it alike and get the same. The candidates take turns, so that what disturbs the
/// machine for a while hits all of them; each call has buffers that the call before did not use.
/// Those that take several times as long as the fastest, twice, are left out. The planner's choice
/// and the best are measured once more, by turns.
/// `time` is about what a size may take. Throws Error.
Tuned tune(Communicator& comm, Planner& planner, Collective collective, std::uint64_t bytes,
           std::chrono::milliseconds time);

/// One line for each run of sizes with one best candidate. A candidate is kept for the next size
/// too where it is nearly the best there; of several new ones that nearly are, it is the one that
/// was predicted to be faster.
std::vector<Rule> rules_of(Collective collective, int ranks, const std::vector<Tuned>& all);

}  // namespace rondo::cli
