#pragma once

// The run with no buffering at all: a message passes when its send and its recv have both started.
//
// Programs have no wildcards and no choices, so they form a Kahn network: if this run comes to its
// end, every run does, with the same messages. All later readers follow the trace of this one run.

#include <cstdint>
#include <vector>

#include "rondo/schedule.hpp"

namespace rondo {

/// The completion of one step, or of a send together with its recv.
struct Event {
  std::uint32_t rank = 0;       ///< of the local step or the send
  std::uint32_t step = 0;       ///< index in the rank's steps
  std::uint32_t recv_step = 0;  ///< index in the steps of the send's peer
  std::uint32_t round = 0;      ///< messages in the longest chain up to here, this one included
};

struct Trace {
  std::vector<Event> events;  ///< in an order that the schedule allows
  std::uint32_t rounds = 0;
};

/// Fails where two sides of a message disagree, where one side is missing, and where ranks wait for
/// each other in a circle. The programs have passed check_structure() and HazardCheck.
Result<Trace> rendezvous(const Schedule& schedule);

}  // namespace rondo
