#include "schedule/layout.hpp"

#include <algorithm>

#include "base/invariant.hpp"

namespace rondo {

void Layout::end_segment(std::size_t end) {
  longest_ = std::max(longest_, end - starts_.back());
  starts_.push_back(end);
}

Layout Layout::weighted(std::size_t count, std::span<const std::uint32_t> weights) {
  Layout layout;
  std::uint64_t total = 0;
  for (const std::uint32_t weight : weights) total += weight;
  layout.starts_ = {0};
  std::uint64_t before = 0;
  for (const std::uint32_t weight : weights) {
    before += weight;
    // count · before / total; the weights add up to less than 2^32, so nothing overflows.
    layout.end_segment(count / total * before + count % total * before / total);
  }
  return layout;
}

Layout Layout::of_blocks(const Shape& shape, std::span<const std::size_t> counts) {
  RONDO_INVARIANT(counts.size(), ==, std::size_t{shape.blocks});
  Layout layout;
  layout.starts_ = {0};
  std::size_t begin = 0;
  for (const std::size_t count : counts) {
    const Layout block(Shape{.segments = shape.segments}, count);
    for (std::size_t i = 0; i < shape.segments; ++i) {
      const Extent segment = block.segment(i);
      layout.end_segment(begin + segment.begin + segment.count);
    }
    begin += count;
  }
  return layout;
}

Layout Layout::of(const Plan& plan, const Shape& shape, std::size_t count) {
  if (!plan.arrangement || plan.arrangement->weights().empty()) return Layout(shape, count);
  RONDO_INVARIANT(plan.arrangement->weights().size(), ==, std::size_t{shape.segments});
  RONDO_INVARIANT(shape.blocks, ==, 1u);
  return weighted(count, plan.arrangement->weights());
}

}  // namespace rondo
