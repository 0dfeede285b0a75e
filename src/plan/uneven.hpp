#pragma once

#include "plan/planner.hpp"

namespace rondo {

/// Whether all ranks are told the lengths of all blocks.
bool all_know_lengths(Collective collective);

/// Planner::choose() for blocks of different lengths. `bytes` is the size of the vector where all
/// ranks know it, 0 elsewhere: there no choice may depend on it, and messages go whole, since the
/// ranks could not agree on tiles.
Result<Choice> choose_uneven(Planner& planner, Collective collective, std::size_t bytes);

}  // namespace rondo
