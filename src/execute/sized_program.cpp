#include "execute/sized_program.hpp"

#include <algorithm>
#include <utility>

#include "schedule/window.hpp"

namespace rondo {

namespace {

std::size_t ceil_div(std::size_t a, std::size_t b) {
  return a / b + (a % b != 0 ? 1 : 0);
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
  const bool tiled = amount_.tile_bytes > 0 && longest_ > 0;
  tile_elements_ =
      tiled ? std::clamp<std::size_t>(amount_.tile_bytes / element, 1, longest_) : longest_;
  tiles_ = tile_elements_ == 0 ? 1 : ceil_div(longest_, tile_elements_);
  window_tiles_ = std::min(tiles_, rondo::window_tiles(program.plan, amount_.tile_bytes));
  is_whole_ = tiles_ == 1 && !(amount_.uneven && amount_.uneven->by_segment);

  const Shape& shape = program.shape;
  is_streamed_ = longest_ * shape.segments * shape.blocks * element >= least_streamed;
  mirror_elements_ = shape.mirror > 0 ? out().run(shape.mirror_first, shape.mirror).count : 0;
  scratch_bytes_ = (mirror_elements_ + (shape.scratch - shape.mirror) * longest_) * element;
  for (const Step& step : program.steps) {
    if (step.publication() == 0) continue;
    if (readers_.size() <= step.publication()) readers_.resize(step.publication() + std::size_t{1});
    ++readers_[step.publication()];
  }
}

}  // namespace rondo
