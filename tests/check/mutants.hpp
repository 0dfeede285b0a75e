#pragma once

// All mutants of a schedule: one small mistake each, of every kind, at every place.

#include <functional>
#include <string>

#include "rondo/schedule.hpp"

namespace rondo::testing {

enum class Mistake {
  drop_wait,        ///< a step no longer waits
  weaken_wait,      ///< a step waits for one step fewer
  shift_source,     ///< the neighbouring segment is read
  shift_target,     ///< the neighbouring segment is written
  shift_step,       ///< source, destination and subject move to the neighbouring segment together
  shift_subject,    ///< the step is about the neighbouring segment
  lengthen,         ///< one segment more
  other_peer,       ///< another rank is the peer, of a local step too
  other_channel,    ///< one side uses another channel
  moved_channel,    ///< both sides use another channel
  flip_accumulate,  ///< a recv stores instead of adding, or the other way round
  flip_complete,    ///< completes, or no longer does
  other_source,     ///< another buffer is read
  other_target,     ///< another buffer is written
  swap_steps,       ///< two neighbouring steps of a lane change places
  swap_operands,    ///< a recv+reduce reads what it should write, and the other way round
  drop_step,        ///< a step is missing
  repeat_step,      ///< a step is done twice
  drop_message,     ///< a send and its recv are missing
  own_lane,         ///< a step moves to a lane of its own, where waits keep its order
  other_place,      ///< another buffer is written, and read by all that read it before
};
inline constexpr int mistake_count = 21;

std::string_view name(Mistake mistake);

struct Mutant {
  Mistake mistake;
  const Schedule& original;
  int rank;          ///< where the mistake is …
  std::size_t step;  ///< … index in the original's steps
  Schedule schedule;
};

/// Calls `visit` with every mutant that differs from the original.
void for_each_mutant(const Schedule& schedule, const std::function<void(const Mutant&)>& visit);

}  // namespace rondo::testing
