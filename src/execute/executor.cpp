#include "execute/executor.hpp"

#include <algorithm>

#include "base/invariant.hpp"
#include "execute/reduction.hpp"
#include "schedule/runs.hpp"

namespace rondo {

namespace {

// The slice of a message that lies in this rank's buffers.
Slice moved_by(const Step& message) {
  return message.op == StepOp::send ? message.source() : message.destination();
}

}  // namespace

void Executor::start(const SizedProgram& sized, const std::byte* in, std::byte* out,
                     Transport& transport) {
  const Program& program = sized.program();
  sized_ = &sized;
  program_ = &program;
  transport_ = &transport;
  operands_ = {in, out, sized.amount().dtype, sized.amount().op};
  completed_ = 0;
  if (sized.scratch_bytes() > scratch_bytes_) {
    scratch_.reset();  // never hold the old and the new one at the same time
    scratch_bytes_ = 0;
    scratch_ = std::make_unique_for_overwrite<std::byte[]>(sized.scratch_bytes());
    scratch_bytes_ = sized.scratch_bytes();
  }
  lane_count_ = static_cast<std::size_t>(program.lanes());
  while (lanes_.size() < lane_count_) lanes_.emplace_back();
  for (std::size_t i = 0; i < lane_count_; ++i) {
    Lane& lane = lanes_[i];
    lane.steps = program.lane(static_cast<int>(i));
    lane.step = 0;
    lane.tile = 0;
    lane.window = 0;
    lane.part = 0;
    lane.in_flight = false;
    lane.passes_on_by = nullptr;
    lane.transfer.state.store(Transfer::State::idle, std::memory_order_relaxed);
  }
}

bool Executor::advance() {
  bool finished = false;
  for (bool moved = true; moved && !finished;) {
    moved = false;
    finished = true;
    for (std::size_t i = 0; i < lane_count_; ++i) {
      Lane& lane = lanes_[i];
      if (lane.is_done()) continue;
      if (!lane.is_stuck() && advance_lane(lane)) moved = true;
      if (!lane.is_done()) finished = false;
    }
  }
  return finished;
}

// Carries out as many steps of a lane as can be done now; true when any was completed.
bool Executor::advance_lane(Lane& lane) {
  bool moved = false;
  while (lane.step < lane.steps.size()) {
    const Step& step = lane.steps[lane.step];
    if (!lane.in_flight) {
      if (lane.part == 0 && !may_start(lane)) break;
      if (step.is_message()) {
        if (has_message(lane, step)) {
          post(lane, step);
          lane.in_flight = true;
        }
      } else if (step.op == StepOp::copy) {
        copy(step, lane.tile);
      } else {
        fold(step, lane.tile);
      }
    }
    if (lane.in_flight) {
      const Transfer::State state = lane.transfer.state.load(std::memory_order_acquire);
      const bool is_done = state == Transfer::State::done;
      const bool is_part = state == Transfer::State::part && step.accumulates();
      if (!is_done && !is_part) break;
      if (step.accumulates() && !accumulate(lane, step, is_done)) break;
      if (!is_done) continue;
      lane.in_flight = false;
      ++completed_;
    }
    if (complete_part(lane, step)) moved = true;
  }
  return moved;
}

// Goes on to the next part, tile, step or window; true when a tile of the step is completed.
bool Executor::complete_part(Lane& lane, const Step& step) {
  if (step.is_message() && ++lane.part < parts(step)) return false;
  lane.part = 0;
  const std::size_t end = std::min(lane.window + sized_->window_tiles(), sized_->tiles());
  if (++lane.tile < end) return true;
  if (++lane.step == lane.steps.size() && end < sized_->tiles()) {
    lane.step = 0;
    lane.window = end;
  }
  lane.tile = lane.window;
  return true;
}

// `without`: as if the lane had completed what it is at.
bool Executor::may_start(const Lane& lane, const Lane* without) const {
  for (const Wait& wait : lane.steps[lane.step].waits) {
    if (wait.count == 0) continue;
    const Lane& other = lanes_[wait.lane];
    if (other.window > lane.window) continue;
    const std::size_t needed = wait.count - 1;
    if (other.window < lane.window || other.step < needed) return false;
    if (other.step > needed || other.tile > lane.tile) continue;
    if (&other != without || other.tile < lane.tile) return false;
  }
  return true;
}

// Tiles that a shorter segment than the longest does not have are not sent. Both sides know which
// these are, since they agree on its size.
bool Executor::has_message(const Lane& lane, const Step& step) const {
  return lane.tile == 0 || locate_part(step, moved_by(step), lane).count > 0;
}

void Executor::post(Lane& lane, const Step& step) {
  const Piece piece = locate_part(step, moved_by(step), lane);
  Transfer& transfer = lane.transfer;
  transfer.kind = step.op == StepOp::send ? Transfer::Kind::send : Transfer::Kind::recv;
  transfer.link = {step.peer, step.channel};
  transfer.borrow = step.accumulates();  // a recv, then
  transfer.data = transfer.borrow ? nullptr : piece.data;
  transfer.offset = 0;
  transfer.past_cache = sized_->is_streamed(step);
  set_publication(lane, step, transfer);
  transfer.size = piece.count * size_of(operands_.dtype);
  transport_->post(transfer);
}

// Each message of a tile is a publication of its own.
void Executor::set_publication(const Lane& lane, const Step& step, Transfer& transfer) const {
  const std::uint32_t number = step.publication();
  transfer.readers = sized_->readers_of(number);
  transfer.publication = 0;
  if (number == 0) return;
  const std::uint64_t message = std::uint64_t{lane.tile} * program_->vector_segments() + lane.part;
  transfer.publication = message * sized_->publications() + number;
}

// What has come of a message is reduced where the transport has it. False where its sender took it
// back meanwhile: the lane waits then for what never comes, and the transport says why.
bool Executor::accumulate(Lane& lane, const Step& step, bool is_rest) {
  const Transfer& incoming = lane.transfer;
  const std::size_t offset = incoming.offset;
  const std::size_t bytes = is_rest ? incoming.size - offset : incoming.part;
  if (offset == 0) lane.passes_on_by = borrow_room(lane, step);
  Lane* const next = lane.passes_on_by;
  const Piece own = locate_part(step, step.source(), lane);
  const Piece destination = locate_part(step, step.destination(), lane);
  const std::array<const std::byte*, 2> sources = {incoming.data, own.data + offset};
  if (next != nullptr) {
    reduce_twice(destination.data + offset, next->transfer.data + offset, next->transfer.past_cache,
                 sources, bytes, divisor(step));
  } else if (bytes > 0) {
    const std::array<const void*, 2> both = {sources[0], sources[1]};
    sized_->reduction().into(destination.data + offset, both, bytes / size_of(operands_.dtype),
                             divisor(step));
  }
  if (!transport_->release(lane.transfer)) {
    lane.transfer.state.store(Transfer::State::posted, std::memory_order_relaxed);
    return false;
  }
  if (next != nullptr && is_rest) {
    if (!transport_->release(next->transfer)) return false;
    next->in_flight = false;
    ++completed_;
    complete_part(*next, next->steps[next->step]);
  }
  return true;
}

// A lane that sends next what this recv makes, and waits for nothing else.
Executor::Lane* Executor::successor_of(const Lane& lane, const Step& step) {
  if (parts(step) > 1) return nullptr;
  for (std::size_t i = 0; i < lane_count_; ++i) {
    Lane& other = lanes_[i];
    const bool is_between_steps = &other != &lane && !other.in_flight && other.part == 0 &&
                                  other.tile == lane.tile && other.window == lane.window &&
                                  other.step < other.steps.size();
    if (!is_between_steps) continue;
    const Step& send = other.steps[other.step];
    if (send.op == StepOp::send && send.source() == step.destination() &&
        send.about == step.about && may_start(other, &lane)) {
      return &other;
    }
  }
  return nullptr;
}

// The same, where the transport has room for the message, which is made there.
Executor::Lane* Executor::borrow_room(const Lane& lane, const Step& step) {
  Lane* const next = successor_of(lane, step);
  if (next == nullptr) return nullptr;
  const Step& send = next->steps[next->step];
  Transfer& outgoing = next->transfer;
  outgoing.kind = Transfer::Kind::send;
  outgoing.link = {send.peer, send.channel};
  outgoing.borrow = true;
  outgoing.data = locate_part(step, step.destination(), lane).data;
  outgoing.size = lane.transfer.size;
  set_publication(*next, send, outgoing);
  transport_->post(outgoing);
  if (outgoing.state.load(std::memory_order_relaxed) != Transfer::State::part) return nullptr;
  next->in_flight = true;
  return next;
}

// Small results in blocks that stay in the first cache from one store to the other.
void Executor::reduce_twice(std::byte* destination, std::byte* passed_on, bool past_cache,
                            std::array<const std::byte*, 2> sources, std::size_t bytes,
                            int divisor) const {
  const std::size_t element = size_of(operands_.dtype);
  const Store store = past_cache ? Store::streaming : Store::cached;
  if (sized_->is_streamed()) {
    const std::array<const void*, 2> both = {sources[0], sources[1]};
    return sized_->reduction().into_both(destination, passed_on, store, both, bytes / element,
                                         divisor);
  }
  constexpr std::size_t block_bytes = 8192;
  for (std::size_t done = 0; done < bytes; done += block_bytes) {
    const std::size_t count = std::min(block_bytes, bytes - done);
    const std::array<const void*, 2> both = {sources[0] + done, sources[1] + done};
    sized_->reduction().into(destination + done, both, count / element, divisor);
    copy_bytes(passed_on + done, destination + done, count, store);
  }
}

void Executor::copy(const Step& step, std::size_t tile) {
  for (std::uint32_t i = 0; i < step.count; ++i) {
    const Piece source = locate(step, step.source(), i, tile);
    const Piece destination = locate(step, step.destination(), i, tile);
    if (source.data == destination.data || source.count == 0) continue;
    copy_bytes(destination.data, source.data, source.count * size_of(operands_.dtype),
               sized_->is_streamed(step) ? Store::streaming : Store::cached);
  }
}

void Executor::fold(const Step& step, std::size_t tile) {
  const Piece destination = locate(step, step.destination(), 0, tile);
  if (destination.count == 0) return;
  sources_.clear();
  for (std::uint32_t i = 0; i < step.count; ++i) {
    sources_.push_back(locate(step, step.source(), i, tile).data);
  }
  sized_->reduction().into(destination.data, sources_, destination.count, divisor(step));
}

// A message of several segments travels whole, or in two where its run goes round the end of the
// vector; cut into tiles, segment by segment, since the same tile of two segments does not lie side
// by side.
std::uint32_t Executor::parts(const Step& step) const {
  if (!sized_->is_whole()) return step.count;
  return before_end(*program_, step) < step.count ? 2 : 1;
}

Executor::Piece Executor::locate_part(const Step& step, Slice slice, const Lane& lane) const {
  if (!sized_->is_whole()) return locate(step, slice, lane.part, lane.tile);
  const std::uint32_t turn = before_end(*program_, step);
  const std::uint32_t from = lane.part == 0 ? 0 : turn;
  const std::uint32_t count = lane.part == 0 ? turn : step.count - turn;
  Piece piece = locate(step, slice, from, lane.tile);
  if (count > 1) piece.count = layout_of(step).run(from == 0 ? step.about : 0, count).count;
  return piece;
}

// Where the tile of one segment of a slice lies, `skip` segments after its beginning. The step's
// `about` gives the size; scratch segments outside of the mirror lie at a distance of the longest
// segment.
Executor::Piece Executor::locate(const Step& step, Slice slice, std::uint32_t skip,
                                 std::size_t tile) const {
  const std::uint32_t turn = before_end(*program_, step);
  const bool beyond = skip >= turn;  // the end of the vector
  const std::uint32_t about = step.op == StepOp::reduce ? step.about
                              : beyond                  ? skip - turn
                                                        : step.about + skip;
  const std::size_t count = layout_of(step).segment(about).count;
  const std::size_t from = std::min(tile * sized_->tile_elements(), count);
  const std::size_t to = std::min(from + sized_->tile_elements(), count);
  const std::size_t segment =
      beyond && program_->is_placed(slice) ? skip - turn : std::size_t{slice.segment} + skip;
  std::size_t begin = 0;
  if (slice.buffer != Buffer::scratch || segment < program_->shape.mirror) {
    begin = begin_of(slice.buffer, segment);
  } else {
    begin = sized_->mirror_elements() + (segment - program_->shape.mirror) * sized_->longest();
  }
  return {address(slice.buffer, (begin + from) * size_of(operands_.dtype)), to - from};
}

const Layout& Executor::layout_of(const Step& step) const {
  const bool is_got =
      step.op == StepOp::recv || (step.has_destination() && step.destination_buffer == Buffer::out);
  return is_got ? sized_->out() : sized_->in();
}

// Elements before a segment of `in`, `out` or the mirror. Displacements are those of whole vectors.
std::size_t Executor::begin_of(Buffer buffer, std::size_t segment) const {
  const Layout& layout = buffer == Buffer::in ? sized_->in() : sized_->out();
  const UnevenBlocks* uneven = sized_->amount().uneven.get();
  if (uneven != nullptr && buffer != Buffer::scratch) {
    const std::vector<std::size_t>& displacements =
        buffer == Buffer::in ? uneven->in_displacements : uneven->out_displacements;
    if (!displacements.empty()) {
      const std::size_t block = segment / program_->shape.segments;
      return displacements[block] + layout.segment(segment).begin -
             layout.segment(block * program_->shape.segments).begin;
    }
  }
  if (segment == 0) return 0;
  const std::size_t base = program_->first_segment_of(buffer);
  return layout.segment(base + segment).begin - layout.segment(base).begin;
}

std::byte* Executor::address(Buffer buffer, std::size_t offset) const {
  switch (buffer) {
    case Buffer::in:  // never written: no step has `in` as its destination
      return const_cast<std::byte*>(operands_.in) + offset;
    case Buffer::out:
      return operands_.out + offset;
    case Buffer::scratch:
      break;
  }
  return scratch_.get() + offset;
}

int Executor::divisor(const Step& step) const {
  return step.completes() && operands_.op == Op::avg ? program_->plan.ranks : 1;
}

std::vector<int> Executor::waiting_for() const {
  std::vector<int> peers;
  for (std::size_t i = 0; i < lane_count_; ++i) {
    const Lane& lane = lanes_[i];
    const Transfer::State state = lane.transfer.state.load(std::memory_order_acquire);
    if (lane.in_flight && state != Transfer::State::done && state != Transfer::State::part) {
      peers.push_back(lane.transfer.link.peer);
    }
  }
  std::sort(peers.begin(), peers.end());
  peers.erase(std::unique(peers.begin(), peers.end()), peers.end());
  return peers;
}

}  // namespace rondo
