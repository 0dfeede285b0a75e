#pragma once

// The time of a plan in closed form, where simulating it would take too long.

#include "plan/candidates.hpp"
#include "rondo/simulate.hpp"

namespace rondo {

/// From the figures of theory and what some ranks do: those at both ends of the first and the last
/// hosts, where most ways lead out.
///
///   time = start + rounds · latency + max(busy, rounds · moving)         for whole segments
///   time = start + rounds · latency + busy + tile/segment · rounds · moving         for tiles
///
/// where `latency` is a + 2o and `moving` the time of the bytes from end to end, both of a rank's
/// messages on average, and `busy` the longest of what the rank's processor, way out and way in
/// have to do in all; the slowest of these ranks counts.
Result<double> estimate(const Candidate& candidate, const CostModel& model, std::uint64_t bytes);

}  // namespace rondo
