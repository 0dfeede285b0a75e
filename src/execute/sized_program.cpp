#include "execute/sized_program.hpp"

#include <algorithm>
#include <utility>

#include "schedule/window.hpp"

namespace rondo {

namespace {

// Of the vector. Results of so many bytes have left the second cache when they are looked at.
constexpr std::size_t least_streamed = 256 << 10;

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
  mirror_elements_ = shape.mirror > 0 ? out().run(shape.mirror_first, shape.mirror).count : 0;
  scratch_bytes_ = (mirror_elements_ + (shape.scratch - shape.mirror) * longest_) * element;
}

}  // namespace rondo
