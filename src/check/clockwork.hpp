#pragma once

// Runs programs against the constants of a machine: the model of rondo/simulate.hpp.
//
// Without ports and processors the result would be a plain longest path. With them the order of
// requests matters, so events are taken in the order of time; each step and tile costs a few.

#include <cstdint>
#include <span>
#include <vector>

#include "check/flows.hpp"
#include "check/step_bytes.hpp"
#include "rondo/simulate.hpp"
#include "schedule/layout.hpp"

namespace rondo {

/// Sizes of the pieces that steps move.
struct Tiling {
  Layout layout{Shape{}, 0};
  std::uint32_t vector_segments = 1;
  std::uint32_t element_bytes = 1;
  std::size_t tile_elements = 0;
  std::size_t tiles = 1;
  std::size_t window_tiles = 1;  ///< see schedule/window.hpp
  bool all_longest = false;      ///< take every segment to be as long as the longest

  /// What a step moves in a tile.
  std::uint64_t bytes(const Step& step, std::size_t tile) const {
    const std::uint32_t segments = step.op == StepOp::reduce ? 1 : step.count;
    if (all_longest) return segments * bytes_in(layout.longest(), tile);
    if (segments == 1) return bytes_in(layout.segment(step.about).count, tile);
    if (tiles == 1) return step_bytes(step, vector_segments, layout, element_bytes);
    std::uint64_t sum = 0;
    for (std::uint32_t i = 0; i < segments; ++i) {
      sum += bytes_in(layout.segment((step.about + i) % vector_segments).count, tile);
    }
    return sum;
  }

 private:
  // Of a segment of so many elements.
  std::uint64_t bytes_in(std::size_t count, std::size_t tile) const {
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
