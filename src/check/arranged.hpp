#pragma once

// Arranged plans to try an algorithm with: other orders, groups of many shapes, several channels,
// unequal segments.

#include <vector>

#include "rondo/schedule.hpp"

namespace rondo {

/// Shapes of groups of so many ranks, without repetition: single ranks; equal groups; groups that
/// grow; all in one.
std::vector<std::vector<int>> group_shapes(int ranks);

/// None for algorithms that do not look at arrangements. The one that says most stands last.
std::vector<Plan> arranged_plans(Algorithm algorithm, Collective collective, int ranks, int root);

}  // namespace rondo
