#pragma once

// From measured times of calls to the constants with which simulate() gives these times.

#include <cstdint>
#include <span>

#include "rondo/simulate.hpp"

namespace rondo {

/// A call between two ranks, and how long it took.
struct MeasuredCall {
  Plan plan;
  Workload workload;
  double seconds = 0;
};

/// What calls tell.
struct FittedCosts {
  LinkCost link;
  double switch_s = 0;  ///< that of `rank`, where the two have a processor each
};

/// The costs of the link between the two ranks of `pair`: those with which the simulated times come
/// nearest to the measured ones, by the ratio. The other costs are taken from `rank`; its links are
/// ignored. Where it has rates for ports of the two, these are the wire, and the link has none. Of
/// ranks that share a processor nothing is ever on its way: their link has no latency and no limit,
/// and what it costs to turn from one to the other is fitted instead, unless `rank` says it. Each
/// constant has three digits, so that a person can read it. Calls of different sizes, in tiles and
/// in both directions at once are needed to tell the constants from each other; with two calls or
/// fewer it fails, and where a time is not positive.
Result<FittedCosts> fit_link(std::span<const MeasuredCall> calls, const Topology& pair,
                             const CostTable& rank);

/// With three digits: a time, or a time per byte that stands for a rate.
double rounded_time(double seconds);
double rounded_rate(double byte_s);

}  // namespace rondo
