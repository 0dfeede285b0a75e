#pragma once

// Runs of segments that go round the end of the vector: what walks over segments takes such a step
// in two parts, in each of which they lie side by side.

#include <array>
#include <cstddef>

#include "rondo/schedule.hpp"

namespace rondo {

/// Segments of a step before the end of the vector: all, unless its run goes round it.
inline std::uint32_t before_end(const Program& program, const Step& step) {
  const std::uint32_t rest = program.vector_segments() - step.about;
  return step.op == StepOp::reduce || step.count <= rest ? step.count : rest;
}

/// A step whose runs are taken apart at the end of the vector.
class StepParts {
 public:
  StepParts(const Program& program, const Step& step) : parts_{step, {}} {
    const std::uint32_t turn = before_end(program, step);
    if (turn == step.count) return;
    const auto beyond = [&](Slice slice) {
      return program.is_placed(slice) ? 0 : slice.segment + turn;
    };
    Step& tail = parts_[1] = step;
    tail.about = 0;
    if (step.has_source()) tail.source_segment = beyond(step.source());
    if (step.has_destination()) tail.destination_segment = beyond(step.destination());
    tail.count = step.count - turn;
    parts_[0].count = turn;
    size_ = 2;
  }

  const Step* begin() const { return parts_.data(); }
  const Step* end() const { return parts_.data() + size_; }
  std::size_t size() const { return size_; }
  const Step& operator[](std::size_t part) const { return parts_[part]; }

 private:
  std::array<Step, 2> parts_;
  std::size_t size_ = 1;
};

}  // namespace rondo
