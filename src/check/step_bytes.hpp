#pragma once

// What a step weighs.

#include <cstdint>

#include "schedule/layout.hpp"

namespace rondo {

/// Bytes of all segments that a step moves; of one for a reduce, which makes one of many.
inline std::uint64_t step_bytes(const Step& step, const Layout& layout,
                                std::uint32_t element_bytes) {
  const std::uint32_t segments = step.op == StepOp::reduce ? 1 : step.count;
  return std::uint64_t{layout.run(step.about, segments).count} * element_bytes;
}

}  // namespace rondo
