#pragma once

// Runs programs against the constants of a machine: the model of rondo/simulate.hpp.
//
// Without ports and processors the result would be a plain longest path. With them the order of
// requests matters, so events are taken in the order of time; each step and tile costs a few.

#include <cstdint>
#include <span>
#include <vector>

#include "check/flows.hpp"
#include "rondo/simulate.hpp"
#include "schedule/layout.hpp"

namespace rondo {

/// Sizes of the pieces that steps move.
struct Tiling {
  Layout layout{Shape{}, 0};
  std::uint32_t element_bytes = 1;
  std::size_t tile_elements = 0;
  std::size_t tiles = 1;
  bool all_longest = false;  ///< take every segment to be as long as the longest

  std::uint64_t bytes(std::uint32_t segment, std::size_t tile) const {
    const std::size_t count = all_longest ? layout.longest() : layout.segment(segment).count;
    const std::size_t from = tile * tile_elements;
    if (from >= count) return 0;
    return std::uint64_t{element_bytes} *
           (count - from < tile_elements ? count - from : tile_elements);
  }
};

/// The programs of ranks 0…period-1 of a world in which ranks r and r + period do the same; all of
/// them where nothing is folded.
struct FoldedWorld {
  std::span<const Program> programs;
  int ranks = 1;
};

struct Elapsed {
  std::int64_t picoseconds = 0;
  std::vector<StepTime> steps = {};  ///< where asked for
};

/// Messages share the links of `flows`, or take turns at ports where there are none. Fails where
/// the programs do not come to their end.
Result<Elapsed> run_clockwork(const FoldedWorld& world, const CostModel& model, Flows* flows,
                              const Tiling& tiling, bool record);

}  // namespace rondo
