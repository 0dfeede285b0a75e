#pragma once

// Sums that need no place of their own: a recv makes one in scratch only because its destination
// is not free yet, and all that happens to it is that the next step of the lane copies it there. By
// the time in which the message is there, the destination mostly is free, and the sum can be made
// in it.

#include <vector>

#include "rondo/schedule.hpp"

namespace rondo {

/// By step: a recv that makes such a sum. Empty where no step does.
std::vector<bool> find_direct_sums(const Program& program);

}  // namespace rondo
