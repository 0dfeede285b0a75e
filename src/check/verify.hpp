#pragma once

#include "check/rendezvous.hpp"
#include "rondo/schedule.hpp"

namespace rondo {

/// The run of a schedule whose indices are valid and whose ranks are free of hazards: what readers
/// other than verify() need before they can trust a schedule.
Result<Trace> trace_of(const Schedule& schedule);

}  // namespace rondo
