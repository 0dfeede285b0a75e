#include "schedule/direct_sums.hpp"

#include <cstddef>
#include <cstdint>

#include "schedule/runs.hpp"

namespace rondo {

namespace {

// How often a scratch segment is written and read.
struct Uses {
  std::uint32_t writes = 0;
  std::uint32_t reads = 0;
};

void count(std::uint32_t Uses::*kind, Slice slice, std::vector<Uses>& uses) {
  if (slice.buffer != Buffer::scratch) return;
  for (std::uint32_t i = 0; i < slice.count; ++i) ++(uses[slice.segment + i].*kind);
}

std::vector<Uses> count_uses(const Program& program) {
  std::vector<Uses> uses(program.shape.scratch);
  for (const Step& step : program.steps) {
    for (const Step& part : StepParts(program, step)) {
      if (part.has_source()) count(&Uses::reads, part.source(), uses);
      if (part.has_destination()) count(&Uses::writes, part.destination(), uses);
    }
  }
  return uses;
}

bool are_sum_and_copy(const Step& sum, const Step& copy) {
  return sum.op == StepOp::recv && sum.accumulates() && sum.count == 1 &&
         sum.destination_buffer == Buffer::scratch && copy.op == StepOp::copy &&
         copy.source() == sum.destination() && copy.about == sum.about;
}

}  // namespace

std::vector<bool> find_direct_sums(const Program& program) {
  std::vector<std::size_t> candidates;
  std::size_t begin = 0;
  for (const std::size_t end : program.lane_end) {
    for (std::size_t i = begin; i + 1 < end; ++i) {
      if (are_sum_and_copy(program.steps[i], program.steps[i + 1])) candidates.push_back(i);
    }
    begin = end;
  }
  if (candidates.empty()) return {};
  std::vector<bool> found(program.steps.size(), false);
  const std::vector<Uses> uses = count_uses(program);
  for (const std::size_t i : candidates) {
    const Uses& own = uses[program.steps[i].destination_segment];
    found[i] = own.writes == 1 && own.reads == 1;
  }
  return found;
}

}  // namespace rondo
