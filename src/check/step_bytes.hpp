#pragma once

// What a step weighs.

#include <cstdint>

#include "schedule/layout.hpp"

namespace rondo {

/// Bytes of all segments that a step moves; of one for a reduce, which makes one of many.
inline std::uint64_t step_bytes(const Step& step, std::uint32_t vector_segments,
                                const Layout& layout, std::uint32_t element_bytes) {
  const std::uint32_t segments = step.op == StepOp::reduce ? 1 : step.count;
  const std::uint32_t rest = vector_segments - step.about;  // before the end of the vector
  std::uint64_t elements = layout.run(step.about, segments < rest ? segments : rest).count;
  if (segments > rest) elements += layout.run(0, segments - rest).count;
  return elements * element_bytes;
}

}  // namespace rondo
