#include "execute/sized_program.hpp"

#include <algorithm>
#include <utility>

#include "schedule/runs.hpp"
#include "schedule/window.hpp"

namespace rondo {

namespace {

// Of each step, whether another one reads what it makes, or it makes no result at all.
std::vector<bool> find_read_again(const Program& program) {
  std::vector<bool> is_read(program.segments_of(Buffer::out));
  const auto parts_of = [&](const Step& step) { return StepParts(program, step); };
  for (const Step& step : program.steps) {
    for (const Step& part : parts_of(step)) {
      if (!part.has_source() || part.source_buffer != Buffer::out) continue;
      const Slice source = part.source();
      std::fill_n(is_read.begin() + source.segment, source.count, true);
    }
  }
  std::vector<bool> found;
  for (const Step& step : program.steps) {
    bool is_again = step.has_destination() && step.destination_buffer == Buffer::scratch;
    for (const Step& part : parts_of(step)) {
      if (is_again || !part.has_destination()) break;
      const auto begin = is_read.begin() + part.destination_segment;
      const auto end = begin + part.destination().count;
      is_again = std::find(begin, end, true) != end;
    }
    found.push_back(is_again);
  }
  return found;
}

}  // namespace

SizedProgram::SizedProgram(const Program& program, Amount amount)
    : program_(program),
      amount_(std::move(amount)),
      even_(amount_.uneven ? Layout(Shape{}, 0)
                           : Layout::of(program.plan, program.shape, amount_.count)),
      reduction_(amount_.dtype, amount_.op) {
  const std::size_t element = size_of(amount_.dtype);
  longest_ = std::max(in().longest(), out().longest());
  tile_elements_ = rondo::tile_elements(longest_, element, amount_.tile_bytes);
  tiles_ = tiles_of(longest_, tile_elements_);
  window_tiles_ = std::min(tiles_, rondo::window_tiles(program.plan, amount_.tile_bytes));
  is_whole_ = tiles_ == 1 && !(amount_.uneven && amount_.uneven->by_segment);

  const Shape& shape = program.shape;
  is_streamed_ = longest_ * shape.segments * shape.blocks * element >= least_streamed;
  if (is_streamed_) is_read_again_ = find_read_again(program);
  mirror_elements_ = shape.mirror > 0 ? out().run(shape.mirror_first, shape.mirror).count : 0;
  scratch_bytes_ = (mirror_elements_ + (shape.scratch - shape.mirror) * longest_) * element;
  for (const Step& step : program.steps) {
    if (step.publication() == 0) continue;
    if (readers_.size() <= step.publication()) readers_.resize(step.publication() + std::size_t{1});
    ++readers_[step.publication()];
  }
}

}  // namespace rondo
