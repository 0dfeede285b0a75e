#include "execute/chunks.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

namespace rondo {

namespace {

// When a tile of a step has its turn on this rank, if no peer lets it wait.
struct Moment {
  std::size_t window = 0;
  std::size_t step = 0;  // the longest chain of steps up to it
  std::size_t tile = 0;
  bool is_recv = false;  // not before a message has come
  auto operator<=>(const Moment&) const = default;
};

constexpr Moment never{~std::size_t{0}, 0, 0, false};

// The places, each of which has its moment, or never has one.
std::vector<std::uint32_t> sorted(const std::vector<Moment>& moments) {
  std::vector<std::uint32_t> places(moments.size());
  std::iota(places.begin(), places.end(), 0u);
  std::erase_if(places, [&](std::uint32_t place) { return moments[place] == never; });
  std::stable_sort(places.begin(), places.end(),
                   [&](std::uint32_t a, std::uint32_t b) { return moments[a] < moments[b]; });
  if (places.empty()) places.push_back(0);  // the first one comes before the program begins
  return places;
}

// By step: how many of this rank's steps must have been completed one after the other before it.
std::vector<std::size_t> depths(const Program& program) {
  const auto lanes = static_cast<std::size_t>(program.lanes());
  std::vector<std::size_t> found(program.steps.size());
  std::vector<std::size_t> done(lanes, 0);
  const auto begin_of = [&](std::size_t lane) {
    return lane == 0 ? std::size_t{0} : std::size_t{program.lane_end[lane - 1]};
  };
  for (bool moved = true; moved;) {
    moved = false;
    for (std::size_t lane = 0; lane < lanes; ++lane) {
      for (; begin_of(lane) + done[lane] < program.lane_end[lane]; ++done[lane]) {
        const std::size_t number = begin_of(lane) + done[lane];
        std::size_t depth = done[lane] == 0 ? 0 : found[number - 1] + 1;
        bool holds = true;
        for (const Wait& wait : program.steps[number].waits) {
          if (wait.count == 0) continue;
          holds &= done[wait.lane] >= wait.count;
          if (holds) depth = std::max(depth, found[begin_of(wait.lane) + wait.count - 1] + 1);
        }
        if (!holds) break;
        found[number] = depth;
        moved = true;
      }
    }
  }
  return found;
}

template <class Visit>
void visit_sources(const SizedProgram& sized, const Step& step, std::uint32_t part,
                   std::size_t tile, Visit visit) {
  if (!step.has_source() || step.source_buffer != Buffer::in) return;
  if (step.is_message()) return visit(sized.source_part(step, part, tile));
  for (std::uint32_t i = 0; i < step.count; ++i) visit(sized.source(step, i, tile));
}

template <class Visit>
void visit_destinations(const SizedProgram& sized, const Step& step, std::uint32_t part,
                        std::size_t tile, Visit visit) {
  if (!step.has_destination() || step.destination_buffer != Buffer::out) return;
  if (step.is_message()) return visit(sized.destination_part(step, part, tile));
  for (std::uint32_t i = 0; i < step.destination().count; ++i) {
    visit(sized.destination(step, i, tile));
  }
}

}  // namespace

Chunks::Chunks(std::size_t bytes, std::size_t chunk_bytes)
    : bytes_(bytes), chunk_bytes_(std::max<std::size_t>(chunk_bytes, 1)) {
  places_.resize(std::max<std::size_t>((bytes + chunk_bytes_ - 1) / chunk_bytes_, 1));
  std::iota(places_.begin(), places_.end(), 0u);
  numbers_.resize(places_.size());
  std::iota(numbers_.begin(), numbers_.end(), 1u);
}

Chunks::Extent Chunks::extent(std::uint32_t number) const {
  const std::size_t offset = place(number) * chunk_bytes_;
  return {offset, std::min(chunk_bytes_, bytes_ - offset)};
}

Chunks::Range Chunks::places_of(const Location& location, std::size_t element_bytes) const {
  if (location.count == 0) return {};
  const std::size_t last = location.offset + location.count * element_bytes - 1;
  return {static_cast<std::uint32_t>(location.offset / chunk_bytes_),
          static_cast<std::uint32_t>(last / chunk_bytes_ + 1)};
}

std::uint32_t Chunks::needed(Range places) const {
  if (places.begin == places.end) return 0;
  return *std::max_element(numbers_.begin() + places.begin, numbers_.begin() + places.end);
}

void Chunks::set_order(std::vector<std::uint32_t> places) {
  places_ = std::move(places);
  std::fill(numbers_.begin(), numbers_.end(), 0);
  for (std::uint32_t i = 0; i < size(); ++i) numbers_[places_[i]] = i + 1;
}

ChunkOrder::ChunkOrder(const SizedProgram& sized, Bytes buffers, Bytes chunks)
    : in_(buffers.in, chunks.in), out_(buffers.out, chunks.out), writes_(out_.size(), 0) {
  const Program& program = sized.program();
  const std::size_t element = size_of(sized.amount().dtype);
  const std::vector<std::size_t> depth = depths(program);
  std::vector<Moment> first_read(in_.size(), never);
  std::vector<Moment> last_write(out_.size());
  for (std::size_t number = 0; number < program.steps.size(); ++number) {
    const Step& step = program.steps[number];
    const std::uint32_t parts = step.is_message() ? sized.parts(step) : 1;
    for (std::size_t tile = 0; tile < sized.tiles(); ++tile) {
      const Moment moment{tile / sized.window_tiles(), depth[number], tile,
                          step.op == StepOp::recv};
      for (std::uint32_t part = 0; part < parts; ++part) {
        visit_sources(sized, step, part, tile, [&](const Location& location) {
          const Chunks::Range places = in_.places_of(location, element);
          for (std::uint32_t i = places.begin; i < places.end; ++i) {
            first_read[i] = std::min(first_read[i], moment);
          }
        });
        visit_destinations(sized, step, part, tile, [&](const Location& location) {
          const Chunks::Range places = out_.places_of(location, element);
          for (std::uint32_t i = places.begin; i < places.end; ++i) {
            last_write[i] = std::max(last_write[i], moment);
            ++writes_[i];
          }
        });
      }
    }
  }
  in_.set_order(sorted(first_read));
  out_.set_order(sorted(last_write));
}

void Crossing::start(const SizedProgram& sized, const ChunkOrder& order, Handover& handover) {
  sized_ = &sized;
  order_ = &order;
  handover_ = &handover;
  given_ = 0;
  taken_ = 0;
  writes_left_ = order.writes();
  take_final();
}

bool Crossing::may_read(const Step& step, std::uint32_t part, std::size_t tile) {
  if (has_all_input()) return true;
  std::uint32_t needed = 0;
  const std::size_t element = size_of(sized_->amount().dtype);
  visit_sources(*sized_, step, part, tile, [&](const Location& location) {
    const Chunks& in = order_->in();
    needed = std::max(needed, in.needed(in.places_of(location, element)));
  });
  if (needed <= given_) return true;
  const Result<std::uint32_t> given = handover_->given();
  if (!given) throw given.error();
  given_ = given.value();
  return needed <= given_;
}

void Crossing::has_written(const Step& step, std::uint32_t part, std::size_t tile) {
  const std::size_t element = size_of(sized_->amount().dtype);
  bool is_final = false;
  visit_destinations(*sized_, step, part, tile, [&](const Location& location) {
    const Chunks::Range places = order_->out().places_of(location, element);
    for (std::uint32_t i = places.begin; i < places.end; ++i) is_final |= --writes_left_[i] == 0;
  });
  if (is_final) take_final();
}

// In their order: one that is final before its turn waits for those before it. The last one is left
// for when the operation has ended: who has got all of it back may use the memory for something
// else, while peers still read what this rank sends them.
void Crossing::take_final() {
  const Chunks& out = order_->out();
  const std::uint32_t before = taken_;
  while (taken_ + 1 < out.size() && writes_left_[out.place(taken_ + 1)] == 0) ++taken_;
  if (taken_ > before) handover_->take(taken_);
}

}  // namespace rondo
