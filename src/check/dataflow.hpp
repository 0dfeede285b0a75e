#pragma once

#include <string>

#include "check/fold.hpp"
#include "check/rendezvous.hpp"
#include "rondo/schedule.hpp"

namespace rondo {

/// What the outputs of a correct schedule have in common.
struct Sums {
  std::uint32_t orders = 0;  ///< distinct orders over the segments; 0 where nothing is summed
};

/// Proves that every segment of every `out` holds each contribution exactly once, that a sum is
/// completed once, when it is whole, and that wherever a segment is, it was summed, divided and
/// rounded in the same order: the same bits on all ranks. The trace is that of the schedule.
Result<Sums> check_dataflow(const Schedule& schedule, const Trace& trace);

/// What an output segment should hold: segment `segment` of the vectors of ranks first…last, added
/// up. A sum over all ranks is to be completed, and has the same bits wherever it is.
struct Expected {
  std::uint32_t segment = 0;
  int first = 0;
  int last = 0;
  bool completed = false;
};
Expected expected_at(const Program& program, std::uint32_t out_segment);

/// In words, exactly, what is missing in an output segment or too much in it.
std::string explain_output(const Schedule& schedule, const Trace& trace, Placement placement,
                           int rank, std::uint32_t out_segment);
/// The same for the value that completion number `completion` of a run finds.
std::string explain_completion(const Schedule& schedule, const Trace& trace, Placement placement,
                               std::uint64_t completion);

}  // namespace rondo
