#include "execute/executor.hpp"

#include <algorithm>

#include "base/invariant.hpp"
#include "execute/reduction.hpp"

namespace rondo {

void Executor::start(const SizedProgram& sized, const std::byte* in, std::byte* out,
                     Transport& transport, Crossing* crossing) {
  const Program& program = sized.program();
  sized_ = &sized;
  program_ = &program;
  transport_ = &transport;
  crossing_ = crossing;
  completed_ = 0;
  if (sized.scratch_bytes() > scratch_bytes_) {
    scratch_.reset();  // never hold the old and the new one at the same time
    scratch_bytes_ = 0;
    scratch_ = std::make_unique_for_overwrite<std::byte[]>(sized.scratch_bytes());
    scratch_bytes_ = sized.scratch_bytes();
  }
  // `in` is never written: no step has it as its destination.
  operands_ = {{const_cast<std::byte*>(in), out, scratch_.get()}, size_of(sized.amount().dtype)};
  lane_count_ = static_cast<std::size_t>(program.lanes());
  if (lane_count_ > lane_capacity_) {  // no transfer is under way, which would have to stay
    lanes_ = std::make_unique<Lane[]>(lane_count_);
    lane_capacity_ = lane_count_;
  }
  for (std::size_t i = 0; i < lane_count_; ++i) {
    Lane& lane = lanes_[i];
    lane.steps = program.lane(static_cast<int>(i));
    lane.step = 0;
    lane.tile = 0;
    lane.window = 0;
    lane.part = 0;
    lane.in_flight = false;
    lane.passes_on_by = nullptr;
    lane.is_direct = false;
    lane.transfer.state.store(Transfer::State::idle, std::memory_order_relaxed);
  }
}

// A lane that waits for others is tried again when one of those that come after it has moved.
bool Executor::advance() {
  bool finished = false;
  for (bool again = true; again;) {
    again = false;
    finished = true;
    bool has_waiting = false;
    Lane* const end = lanes_.get() + lane_count_;
    for (Lane* lane = lanes_.get(); lane != end; ++lane) {
      if (lane->is_done()) continue;
      if (!lane->is_stuck() && advance_lane(*lane)) again |= has_waiting;
      if (lane->is_done()) continue;
      finished = false;
      has_waiting |= !lane->in_flight;
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
      if (crossing_ != nullptr && !crossing_->may_read(step, lane.part, lane.tile)) break;
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
  if (crossing_ != nullptr) crossing_->has_written(step, lane.part, lane.tile);
  if (step.is_message() && ++lane.part < sized_->parts(step)) return false;
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
  return lane.tile == 0 || own_part(lane, step).count > 0;
}

void Executor::post(Lane& lane, const Step& step) {
  const Piece piece = own_part(lane, step);
  Transfer& transfer = lane.transfer;
  transfer.kind = step.op == StepOp::send ? Transfer::Kind::send : Transfer::Kind::recv;
  transfer.link = {step.peer, step.channel};
  transfer.borrow = step.accumulates();  // a recv, then
  transfer.data = transfer.borrow ? nullptr : piece.data;
  transfer.offset = 0;
  transfer.past_cache = sized_->is_streamed(step);
  set_publication(lane, step, transfer);
  transfer.size = piece.count * operands_.element;
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
  if (offset == 0) {
    lane.is_direct = may_sum_directly(lane, step);
    lane.passes_on_by = lane.is_direct ? nullptr : borrow_room(lane, step);
  }
  Lane* const next = lane.passes_on_by;
  const Piece own = at(sized_->source_part(step, lane.part, lane.tile));
  const Piece destination =
      at(lane.is_direct ? sized_->destination(lane.steps[lane.step + 1], 0, lane.tile)
                        : sized_->destination_part(step, lane.part, lane.tile));
  const std::array<const std::byte*, 2> sources = {incoming.data, own.data + offset};
  if (next != nullptr) {
    reduce_twice(destination.data + offset, next->transfer.data + offset, next->transfer.past_cache,
                 sources, bytes, divisor(step));
  } else if (bytes > 0) {
    const std::array<const void*, 2> both = {sources[0], sources[1]};
    const Step& writer = lane.is_direct ? lane.steps[lane.step + 1] : step;
    sized_->reduction().into(destination.data + offset, both, bytes / operands_.element,
                             divisor(step), store_of(writer));
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
  if (lane.is_direct && is_rest) {  // the other one of the two is completed as usual
    ++lane.step;
    if (crossing_ != nullptr) crossing_->has_written(lane.steps[lane.step], 0, lane.tile);
  }
  return true;
}

// Whether the copy that follows could be carried out now, if there were something to copy.
bool Executor::may_sum_directly(Lane& lane, const Step& step) const {
  if (!sized_->makes_direct_sum(step)) return false;
  ++lane.step;
  const bool may_copy = may_start(lane);
  --lane.step;
  return may_copy;
}

// A lane that sends next what this recv makes, and waits for nothing else.
Executor::Lane* Executor::successor_of(const Lane& lane, const Step& step) {
  if (sized_->parts(step) > 1) return nullptr;
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
  outgoing.data = at(sized_->destination_part(step, lane.part, lane.tile)).data;
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
  const std::size_t element = operands_.element;
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
    const Piece source = at(sized_->source(step, i, tile));
    const Piece destination = at(sized_->destination(step, i, tile));
    if (source.data == destination.data || source.count == 0) continue;
    copy_bytes(destination.data, source.data, source.count * operands_.element, store_of(step));
  }
}

void Executor::fold(const Step& step, std::size_t tile) {
  const Piece destination = at(sized_->destination(step, 0, tile));
  if (destination.count == 0) return;
  if (sources_.size() < step.count) sources_.resize(step.count);
  for (std::uint32_t i = 0; i < step.count; ++i) {
    sources_[i] = at(sized_->source(step, i, tile)).data;
  }
  sized_->reduction().into(destination.data, std::span(sources_.data(), step.count),
                           destination.count, divisor(step), store_of(step));
}

Store Executor::store_of(const Step& step) const {
  return sized_->is_streamed(step) ? Store::streaming : Store::cached;
}

// What a message moves lies in this rank's buffers.
Executor::Piece Executor::own_part(const Lane& lane, const Step& step) const {
  return at(step.op == StepOp::send ? sized_->source_part(step, lane.part, lane.tile)
                                    : sized_->destination_part(step, lane.part, lane.tile));
}

Executor::Piece Executor::at(const Location& location) const {
  return {operands_.buffers[static_cast<std::size_t>(location.buffer)] + location.offset,
          location.count};
}

int Executor::divisor(const Step& step) const {
  return step.completes() && sized_->amount().op == Op::avg ? program_->plan.ranks : 1;
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
