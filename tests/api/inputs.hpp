#pragma once

// Inputs that are a function of rank and index, in a range where sums of floats are exact.

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "harness/processes.hpp"
#include "harness/world.hpp"

namespace rondo::testing {

using Values = std::vector<float>;

constexpr float guard = -77777.0f;

inline float input(int rank, std::size_t index) {
  return static_cast<float>((rank + 1) * 1000 + static_cast<int>(index % 997));
}

inline Values inputs(int rank, std::size_t count, std::size_t offset = 0) {
  Values values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = input(rank, offset + i);
  return values;
}

/// Over the ranks first…last.
inline Values sums(int first, int last, std::size_t count, std::size_t offset = 0) {
  Values values(count, 0.0f);
  for (int rank = first; rank <= last; ++rank) {
    for (std::size_t i = 0; i < count; ++i) values[i] += input(rank, offset + i);
  }
  return values;
}

inline void append(Values& values, const Values& more) {
  values.insert(values.end(), more.begin(), more.end());
}

inline Values part(const Values& values, std::size_t first, std::size_t count) {
  const auto begin = values.begin() + static_cast<std::ptrdiff_t>(first);
  return {begin, begin + static_cast<std::ptrdiff_t>(count)};
}

inline void put(Values& values, std::size_t first, const Values& some) {
  std::copy(some.begin(), some.end(), values.begin() + static_cast<std::ptrdiff_t>(first));
}

/// Every algorithm of a collective that `is_meant` says yes to, in whole segments and in tiles,
/// among 1…7 ranks as threads; then the planner's choice among processes.
inline void on_every_world(Collective collective,
                           const std::function<bool(Algorithm, Collective)>& is_meant,
                           const std::function<void(Communicator&)>& body) {
  for (int a = 1; a < algorithm_count; ++a) {
    const auto algorithm = static_cast<Algorithm>(a);
    if (!is_meant(algorithm, collective)) continue;
    for (int ranks = 1; ranks <= 7; ++ranks) {
      for (const std::size_t tile_bytes : {0u, 252u}) {
        SCOPED_TRACE(std::string(name(algorithm)) + " among " + std::to_string(ranks) +
                     " ranks, tiles of " + std::to_string(tile_bytes));
        on_world(ranks, {.algorithm = algorithm, .tile_bytes = tile_bytes}, body);
      }
    }
  }
  for (const int ranks : {1, 2, 3, 5}) {
    SCOPED_TRACE(std::to_string(ranks) + " ranks as processes");
    on_processes(ranks, {}, body);
  }
}

}  // namespace rondo::testing
