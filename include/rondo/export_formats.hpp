#pragma once

// Schedules for the tools of others: simulators, a GPU runtime, graph drawings. to_chrome_trace()
// of rondo/simulate.hpp is one more. What each format needs and cannot say is described in
// src/check/README.md. All refuse schedules that are not free of hazards and deadlocks.

#include <cstdint>
#include <string>

#include "rondo/schedule.hpp"

namespace rondo {

/// What a schedule itself does not know and a workload has to say.
struct GoalOptions {
  std::uint64_t bytes = 0;          ///< of the vector: the longer one of the two buffers
  std::uint32_t element_bytes = 4;  ///< segments are cut between elements
  double reduce_byte_s = 0;         ///< of a processor, per byte of the result and operand but one
  double copy_byte_s = 0;
};

/// GOAL, the text that LogGOPSim and ATLAHS compile and simulate: whole segments, a cpu for each
/// lane, the channel as tag. Fails where lanes or sizes leave its numbers.
RONDO_API Result<std::string> to_goal(const Schedule& schedule, const GoalOptions& options);

/// The XML of MSCCL, which runs it on GPUs: a segment is a chunk, and a lane is one threadblock, or
/// several where it has several peers. Fails with unsupported for what MSCCL has no word for, and
/// beyond the limits of its interpreter.
RONDO_API Result<std::string> to_msccl_xml(const Schedule& schedule);

/// Graphviz: a cluster for each rank, an edge for each order of lane, wait and message.
RONDO_API Result<std::string> to_dot(const Schedule& schedule);

}  // namespace rondo
