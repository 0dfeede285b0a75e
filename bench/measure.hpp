#pragma once

// Times one kind of call, out of place and in place.

#include <cstdint>
#include <optional>
#include <vector>

#include "bench/arena.hpp"
#include "bench/data.hpp"
#include "bench/library.hpp"
#include "bench/options.hpp"
#include "bench/sizes.hpp"

namespace rondo::bench {

/// Bounds of the number of operations with Options::iterations 0.
inline constexpr int fewest_iterations = 5;
inline constexpr int most_iterations = 20'000;
/// Different buffers of consecutive calls. The smallest ones stay in the second-level cache, as
/// what a program has just computed does.
inline constexpr std::size_t most_places = 1000;
/// Where each of them has a graph of its own.
inline constexpr std::size_t most_graphs = 16;

struct Timing {
  int iterations = 0;
  double time_us = 0;  ///< of one operation, over the ranks as Options::over says
  /// Of single operations, each as long as it took the slowest rank. With operations back to back
  /// they show how even the flow was; with a barrier before each they are latencies. Not a number
  /// where calls back to back return before they are done.
  double median_us = 0;
  double p99_us = 0;
};

/// One side of a line of the table.
struct Side {
  Timing timing;
  double algorithm_gbps = 0;  ///< 10^9 bytes a second
  double bus_gbps = 0;
  std::optional<Findings> findings;  ///< nothing with the check switched off
};

struct Line {
  Case what;  ///< in_place has no meaning here
  // What was not asked for has nothing, nor do a barrier and sendrecv in place.
  std::optional<Side> out_of_place;
  std::optional<Side> in_place;
};

Side measure(Library& library, Arena& arena, const Case& c, const Options& options,
             std::uint64_t seed);

/// The value below which `share` of the sorted samples lie, by nearest rank; 0 without samples.
double quantile(const std::vector<double>& sorted, double share);

}  // namespace rondo::bench
