#pragma once

// Symmetric schedules: where rank r + period does the same as rank r, with all its peers shifted by
// the period, one period of ranks stands for all of them.

#include <optional>
#include <vector>

#include "rondo/schedule.hpp"

namespace rondo {

/// Whether `image` is `original`, shifted: the same steps and waits in the same lanes, with peers
/// as far away. Which segments they are about may differ.
bool is_shifted(const Program& original, const Program& image);

/// The programs of the ranks 0…period-1, or nothing where the schedule is not symmetric.
///
/// Every rank is compared where that is little work. Beyond, these are: the images of rank 0 that
/// are 1, 2, 4, 8… periods away and the last one, and the first image of each other rank. In trees
/// and in schedules with leaders they differ.
std::optional<std::vector<Program>> fold(const Plan& plan, int period);

}  // namespace rondo
