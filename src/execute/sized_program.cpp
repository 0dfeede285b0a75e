#include "execute/sized_program.hpp"

#include <algorithm>
#include <utility>

#include "schedule/direct_sums.hpp"
#include "schedule/runs.hpp"
#include "schedule/window.hpp"

namespace rondo {

namespace {

constexpr std::size_t most_locations = 512;

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
  if (tiles_ == 1 && is_whole_) find_locations();
  // Of tiles, those of the sum come one after the other before those of the copy.
  if (tiles_ == 1) makes_direct_sum_ = find_direct_sums(program);
}

void SizedProgram::find_locations() {
  std::size_t locations = 0;
  for (const Step& step : program_.steps) {
    if (step.is_message() && count_runs(step) > 1) return;
    locations += step.is_message() ? 2 : 2 * std::size_t{step.count};
    if (locations > most_locations) return;
  }
  std::vector<std::uint32_t> first_location;
  const Location nothing;
  for (const Step& step : program_.steps) {
    first_location.push_back(static_cast<std::uint32_t>(locations_.size()));
    if (step.is_message()) {
      locations_.push_back(step.has_source() ? locate_part(step, step.source(), 0, 0) : nothing);
      locations_.push_back(step.has_destination() ? locate_part(step, step.destination(), 0, 0)
                                                  : nothing);
      continue;
    }
    for (std::uint32_t i = 0; i < step.count; ++i) {
      locations_.push_back(locate(step, step.source(), i, 0));
      const bool has_result = i < step.destination().count;
      locations_.push_back(has_result ? locate(step, step.destination(), i, 0) : nothing);
    }
  }
  first_location_ = std::move(first_location);
}

std::uint32_t SizedProgram::count_runs(const Step& step) const {
  return before_end(program_, step) < step.count ? 2 : 1;
}

Location SizedProgram::locate_part(const Step& step, Slice slice, std::uint32_t part,
                                   std::size_t tile) const {
  if (!is_whole_) return locate(step, slice, part, tile);
  const std::uint32_t turn = before_end(program_, step);
  const std::uint32_t from = part == 0 ? 0 : turn;
  const std::uint32_t count = part == 0 ? turn : step.count - turn;
  Location found = locate(step, slice, from, tile);
  if (count > 1) found.count = layout_of(step).run(from == 0 ? step.about : 0, count).count;
  return found;
}

// Where the tile of one segment of a slice lies, `skip` segments after its beginning. The step's
// `about` gives the size; scratch segments outside of the mirror lie at a distance of the longest
// segment.
Location SizedProgram::locate(const Step& step, Slice slice, std::uint32_t skip,
                              std::size_t tile) const {
  const std::uint32_t turn = before_end(program_, step);
  const bool beyond = skip >= turn;  // the end of the vector
  const std::uint32_t about = step.op == StepOp::reduce ? step.about
                              : beyond                  ? skip - turn
                                                        : step.about + skip;
  const std::size_t count = layout_of(step).segment(about).count;
  const std::size_t from = std::min(tile * tile_elements_, count);
  const std::size_t to = std::min(from + tile_elements_, count);
  const std::size_t segment =
      beyond && program_.is_placed(slice) ? skip - turn : std::size_t{slice.segment} + skip;
  std::size_t begin = 0;
  if (slice.buffer != Buffer::scratch || segment < program_.shape.mirror) {
    begin = begin_of(slice.buffer, segment);
  } else {
    begin = mirror_elements_ + (segment - program_.shape.mirror) * longest_;
  }
  return {slice.buffer, (begin + from) * size_of(amount_.dtype), to - from};
}

const Layout& SizedProgram::layout_of(const Step& step) const {
  const bool is_got =
      step.op == StepOp::recv || (step.has_destination() && step.destination_buffer == Buffer::out);
  return is_got ? out() : in();
}

// Elements before a segment of `in`, `out` or the mirror. Displacements are those of whole vectors.
std::size_t SizedProgram::begin_of(Buffer buffer, std::size_t segment) const {
  const Layout& layout = buffer == Buffer::in ? in() : out();
  const UnevenBlocks* uneven = amount_.uneven.get();
  if (uneven != nullptr && buffer != Buffer::scratch) {
    const std::vector<std::size_t>& displacements =
        buffer == Buffer::in ? uneven->in_displacements : uneven->out_displacements;
    if (!displacements.empty()) {
      const std::size_t block = segment / program_.shape.segments;
      return displacements[block] + layout.segment(segment).begin -
             layout.segment(block * program_.shape.segments).begin;
    }
  }
  if (segment == 0) return 0;
  const std::size_t base = program_.first_segment_of(buffer);
  return layout.segment(base + segment).begin - layout.segment(base).begin;
}

}  // namespace rondo
