#pragma once

// In which order the steps of a tiled program are carried out.

#include <cstddef>

#include "rondo/schedule.hpp"

namespace rondo {

inline constexpr std::size_t all_tiles = ~std::size_t{0};

/// So many tiles at a time go through all steps of a lane, then the next ones do: a *window*. All
/// ranks have the same, and there are so many tiles that the window never ends where this is
/// `all_tiles`: each step is then carried out for all tiles before the next one.
///
/// Where ranks do the same at the same time, a short window keeps in the cache what one step makes
/// and a later one passes on. It takes two tiles at least, so that one can be under way while the
/// other one is worked on. In a tree, or where segments differ in length, a lane's last steps wait
/// for others at a distance, and short windows would hold up the first steps of the next tiles.
inline std::size_t window_tiles(const Plan& plan, std::size_t tile_bytes) {
  constexpr std::size_t window_bytes = 256 << 10;
  constexpr std::size_t least_tiles = 2;
  const bool is_symmetric =
      plan.algorithm == Algorithm::ring || plan.algorithm == Algorithm::circulant ||
      plan.algorithm == Algorithm::halving_doubling || plan.algorithm == Algorithm::two_shot;
  const bool is_weighted = plan.arrangement && !plan.arrangement->weights().empty();
  if (plan.collective != Collective::allreduce || !is_symmetric || is_weighted) return all_tiles;
  const std::size_t tiles = tile_bytes == 0 ? 0 : window_bytes / tile_bytes;
  return tiles < least_tiles ? least_tiles : tiles;
}

}  // namespace rondo
