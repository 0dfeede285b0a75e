#pragma once

#include "rondo/schedule.hpp"

namespace rondo {

/// Whether every index in the schedule points at something: plans, shapes, lanes, waits, peers,
/// channels, slices and what they are about. What passes can be read without further checks.
Result<> check_structure(const Schedule& schedule);

}  // namespace rondo
