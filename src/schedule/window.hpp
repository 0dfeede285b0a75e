#pragma once

// Into which tiles segments are cut, and in which order these go through the steps of a program.

#include <algorithm>
#include <cstddef>

#include "rondo/schedule.hpp"

namespace rondo {

/// Of a tile, where the longest segment has `longest` elements: without a size of tiles, all of it.
inline std::size_t tile_elements(std::size_t longest, std::size_t element_bytes,
                                 std::size_t tile_bytes) {
  if (tile_bytes == 0 || longest == 0) return longest;
  return std::clamp<std::size_t>(tile_bytes / element_bytes, 1, longest);
}

/// How many of them the longest segment has. An empty one is carried out all the same.
inline std::size_t tiles_of(std::size_t longest, std::size_t tile_elements) {
  if (tile_elements == 0) return 1;
  return longest / tile_elements + (longest % tile_elements != 0 ? 1 : 0);
}

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
