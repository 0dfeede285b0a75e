#include "transport/shm/mailbox.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <chrono>
#include <cstring>
#include <utility>

#include "base/past_cache.hpp"

namespace rondo::process {

namespace {

constexpr std::size_t parts_in_ring = 4;      // so that both sides are busy
constexpr std::size_t least_part = 16 << 10;  // smaller ones cost more than they overlap

constexpr std::size_t turn_bytes = 1 << 20;  // read in place before others get their turn

bool is_inline(std::size_t size) {
  return size <= Line::inline_bytes;
}

// Takes a cache line away from who has read it, while the caller goes on.
void fetch_for_writing([[maybe_unused]] const void* line) {
#if defined(__x86_64__)
  asm volatile("prefetchw (%0)" : : "r"(line));
#elif defined(__aarch64__)
  asm volatile("prfm pstl1keep, [%0]" : : "r"(line));
#endif
}

// Messages of exchanges agree in their type instead of the call.
std::uint64_t agreement_of(const Transfer& transfer, const Operation& operation) {
  if (operation.frame.form != Form::exchange) return operation.agreement;
  return operation.agreement + static_cast<std::uint64_t>(transfer.dtype);
}

}  // namespace

Line::Head Line::head() const {
  return {__atomic_load_n(&bytes, __ATOMIC_RELAXED), __atomic_load_n(&agreement, __ATOMIC_RELAXED),
          __atomic_load_n(&size, __ATOMIC_RELAXED)};
}

Line::Place Line::place() const {
  std::array<std::uint64_t, sizeof(Place) / sizeof(std::uint64_t)> words;
  const auto* const shared = reinterpret_cast<const std::uint64_t*>(payload.data());
  for (std::size_t i = 0; i < words.size(); ++i) {
    words[i] = __atomic_load_n(shared + i, __ATOMIC_RELAXED);
  }
  return std::bit_cast<Place>(words);
}

void Line::set_place(const Place& place) {
  std::memcpy(payload.data(), &place, sizeof place);
}

Mailbox::Mailbox(const OwnBoxes& own, PeerBoxes peer, Descriptor socket, Publisher& publisher)
    : own_(own),
      peer_(std::move(peer)),
      has_light_fences_(has_fences_everywhere() &&
                        peer_.head->has_fences_everywhere.load(std::memory_order_relaxed) != 0),
      ring_(own.ring_bytes),
      publisher_(publisher),
      talk_(std::move(socket)) {}

void Mailbox::close() {
  own_.inbox->is_reading.store(0, std::memory_order_seq_cst);
  own_.outbox->is_closed.store(1, std::memory_order_seq_cst);
}

bool Mailbox::is_being_read() const {
  return is_offered_ && peer_.inbox->is_reading.load(std::memory_order_seq_cst) != 0;
}

bool Mailbox::send(Traffic& traffic, const Operation& operation) {
  bool moved = false;
  while (!traffic.sends.empty()) {
    const Transfer& transfer = traffic.sends.front();
    if (is_offered_) {
      if (!has_been_read()) break;
      is_offered_ = false;
      is_refused_ = peer_.inbox->refused.load(std::memory_order_relaxed) == written_;
      moved = true;
      if (!is_refused_) traffic.sends.finish();
      continue;
    }
    if (!has_line()) break;
    if (is_inline(transfer.size)) {
      send_inline(transfer, operation);
      moved = true;
      traffic.sends.finish();
      continue;
    }
    if (sent_ == 0 && offer_in_place(transfer, operation)) {
      moved = true;
      break;
    }
    if (sent_ == 0) join_publication(transfer, operation);
    if (!has_room(transfer)) {
      note_taken();
      if (!has_room(transfer)) {
        count_time(transfer, operation);
        break;
      }
    }
    send_part(transfer, operation);
    moved = true;
    if (sent_ < transfer.size) continue;
    if (piece_ != nullptr) publisher_.announce(*piece_, *peer_.inbox, written_);
    piece_ = nullptr;
    sent_ = 0;
    is_unpublished_ = false;
    traffic.sends.finish();
  }
  if (moved) clear_full();
  return moved;
}

void Mailbox::send_inline(const Transfer& transfer, const Operation& operation) {
  Line& line = own_.outbox->lines[written_ % lines];
  if (transfer.size > 0) std::memcpy(line.payload.data(), transfer.data, transfer.size);
  line.bytes = static_cast<std::uint32_t>(transfer.size);
  begin_line(line, transfer, operation);
  publish();
}

void Mailbox::send_part(const Transfer& transfer, const Operation& operation) {
  Line& line = own_.outbox->lines[written_ % lines];
  const std::size_t bytes = part_of(transfer);
  std::byte* target = nullptr;
  if (piece_ != nullptr) {
    line.set_place({.offset = piece_->offset + sent_, .where = Line::Place::Where::segment});
    if (piece_->written == sent_) target = piece_->bytes + sent_;
    piece_->written = std::max(piece_->written, sent_ + bytes);
  } else {
    const std::size_t place = ring_.reserve(bytes);
    line.set_place({.offset = place});
    target = own_.outbox->ring() + place;
  }
  if (target != nullptr) copy_in(target, transfer, bytes, operation);
  line.bytes = static_cast<std::uint32_t>(bytes);
  if (sent_ == 0) begin_line(line, transfer, operation);
  publish();
  sent_ += bytes;
}

void Mailbox::clear_full() {
  if (own_.outbox->is_full.load(std::memory_order_relaxed) == 0) return;
  own_.outbox->is_full.store(0, std::memory_order_relaxed);
}

// One part, in the ring.
void Mailbox::lend_room(Transfer& transfer, const Operation& operation) {
  const std::size_t bytes = transfer.size;
  if (is_offered_ || bytes < least_room) return;
  const std::size_t misfit = reinterpret_cast<std::uintptr_t>(transfer.data) % Ring::granule;
  if (transfer.readers > 1) {
    piece_ = has_line() ? publisher_.lend(transfer, operation, misfit) : nullptr;
    if (piece_ == nullptr) return;
    own_.outbox->lines[written_ % lines].set_place(
        {.offset = piece_->offset, .where = Line::Place::Where::segment});
    transfer.data = piece_->bytes;
  } else {
    const std::size_t needed = misfit + bytes;
    if (bytes > own_.ring_bytes / parts_in_ring) return;
    if (!has_room(needed)) {
      note_taken();
      if (!has_room(needed)) return;
    }
    const std::size_t place = ring_.reserve(needed) + misfit;
    own_.outbox->lines[written_ % lines].set_place({.offset = place});
    transfer.data = own_.outbox->ring() + place;
  }
  transfer.past_cache =
      stores_.is_past_cache(operation.frame.sequence, bytes, bytes, StoreChoice::Clock::now());
  transfer.state.store(Transfer::State::part, std::memory_order_relaxed);
}

void Mailbox::begin_line(Line& line, const Transfer& transfer, const Operation& operation) {
  line.size = transfer.size;
  line.agreement = agreement_of(transfer, operation);
  Frame& frame = own_.outbox->frames[written_ % lines];
  frame = operation.frame;
  frame.bytes = transfer.size;
  if (frame.form == Form::exchange) frame.dtype = transfer.dtype;
}

// Where the peer can read the user's memory it gets to know where the message is.
bool Mailbox::offer_in_place(const Transfer& transfer, const Operation& operation) {
  if (transfer.size < least_in_place || is_refused_) return false;
  const auto region = Regions::of_process().find(transfer.data, transfer.size);
  if (!region || !talk_.tell(*region)) return false;
  Line& line = own_.outbox->lines[written_ % lines];
  const auto offset = static_cast<std::uint64_t>(transfer.data - region->mapping->data());
  line.set_place({offset, region->id, Line::Place::Where::region});
  line.bytes = 0;
  begin_line(line, transfer, operation);
  is_offered_ = true;
  publish();
  return true;
}

// What goes to several peers, unless this one gets it by itself.
void Mailbox::join_publication(const Transfer& transfer, const Operation& operation) {
  if (transfer.readers < 2 || is_unpublished_) return;
  piece_ = publisher_.join(transfer, operation);
  is_unpublished_ = piece_ == nullptr;
}

bool Mailbox::has_been_read() {
  note_taken();
  return freed_ == written_;
}

std::size_t Mailbox::part_of(const Transfer& transfer) const {
  const std::size_t wanted = std::max(least_part, Ring::rounded(transfer.size / parts_in_ring));
  if (piece_ != nullptr) return std::min(transfer.size - sent_, wanted);  // on all links alike
  return std::min({transfer.size - sent_, wanted, own_.ring_bytes / parts_in_ring});
}

bool Mailbox::has_line() {
  if (!has_free_line()) note_taken();
  return has_free_line();
}

// A part lies in one piece, so that the rest of the ring may stay empty before it.
bool Mailbox::has_room(const Transfer& transfer) const {
  if (!has_free_line()) return false;
  return is_inline(transfer.size) || piece_ != nullptr || has_room(part_of(transfer));
}

bool Mailbox::has_room(std::size_t bytes) const {
  return has_free_line() && ring_.has_room(bytes);
}

void Mailbox::publish() {
  const std::uint32_t index = written_ % lines;
  ring_ends_[index] = ring_.end();
  ++written_;
  own_.outbox->lines[index].stamp.store(written_, std::memory_order_release);
  // The peer has read the next line, and taking it back takes as long as a message: better now.
  fetch_for_writing(&own_.outbox->lines[written_ % lines]);
  fence_here(has_light_fences_);
  if (peer_.head->is_asleep.load(std::memory_order_relaxed) != 0) ring_bell();
}

// An empty ring goes on where it is: the peer's cache still has what it read last, and to take that
// away from it costs more than to write what has left both caches.
void Mailbox::note_taken() {
  const std::uint32_t taken = peer_.inbox->taken.load(std::memory_order_acquire);
  if (taken == freed_ || written_ - taken > lines) return;
  freed_ = taken;
  ring_.free_until(ring_ends_[(taken - 1) % lines]);
}

bool Mailbox::has_arrived() const {
  return !is_revoked_ && next_line().stamp.load(std::memory_order_acquire) == taken_ + 1;
}

bool Mailbox::receive(Traffic& traffic, const Operation& operation) {
  bool moved = false;
  while (!traffic.recvs.empty() && lent_ == nullptr && traffic.trouble == Trouble::none &&
         has_arrived()) {
    Transfer& transfer = traffic.recvs.front();
    const Line::Head head = next_line().head();
    if (received_ == 0) {
      traffic.trouble = judge(head, transfer, operation, traffic.frame);
      if (traffic.trouble != Trouble::none) break;
      traffic.last_heard = operation.frame.sequence;
    }
    const Line::Place place = is_inline(transfer.size) ? Line::Place{} : next_line().place();
    if (place.where == Line::Place::Where::region) {
      if (!receive_in_place(traffic, place, operation)) break;
      moved = true;
      if (received_ > 0) break;  // the others' turn
      continue;
    }
    const std::byte* const bytes = bytes_of(head, place, transfer);
    if (bytes == nullptr) {
      traffic.trouble = Trouble::garbage;
      break;
    }
    moved = true;
    const std::size_t offset = received_;
    received_ += head.bytes;
    if (transfer.borrow) {
      lend(transfer, bytes, offset, head.bytes);
    } else {
      copy_out(transfer, offset, bytes, head.bytes);
      acknowledge(transfer, operation);
    }
    if (received_ == transfer.size) {
      received_ = 0;
      traffic.recvs.finish();
    } else if (transfer.borrow) {
      transfer.state.store(Transfer::State::part, std::memory_order_release);
    }
  }
  return moved;
}

void Mailbox::copy_in(std::byte* target, const Transfer& transfer, std::size_t bytes,
                      const Operation& operation) {
  const bool is_past_cache = transfer.size >= StoreChoice::least_measured &&
                             stores_.is_past_cache(operation.frame.sequence, transfer.size, bytes,
                                                   StoreChoice::Clock::now());
  copy_bytes(target, transfer.data + sent_, bytes,
             is_past_cache ? Store::streaming : Store::cached);
  count_time(transfer, operation);
}

// What the operation has spent so far shows how good the stores are.
void Mailbox::count_time(const Transfer& transfer, const Operation& operation) {
  if (transfer.size < StoreChoice::least_measured) return;
  stores_.mark(operation.frame.sequence, StoreChoice::Clock::now());
}

void Mailbox::copy_out(const Transfer& transfer, std::size_t offset, const std::byte* bytes,
                       std::size_t count) {
  copy_bytes(transfer.data + offset, bytes, count,
             transfer.past_cache ? Store::streaming : Store::cached);
}

void Mailbox::lend(Transfer& transfer, const std::byte* bytes, std::size_t offset,
                   std::size_t part) {
  transfer.data = const_cast<std::byte*>(bytes);  // nobody writes through it
  transfer.offset = offset;
  transfer.part = part;
  lent_ = &transfer;
}

Trouble Mailbox::judge(const Line::Head& head, const Transfer& transfer, const Operation& operation,
                       Frame& frame) const {
  const bool is_expected =
      head.agreement == agreement_of(transfer, operation) && head.size == transfer.size;
  if (is_expected) return Trouble::none;
  frame = peer_.outbox->frames[taken_ % lines];
  return agrees(frame, operation) ? Trouble::wrong_size : Trouble::disagreement;
}

// Null where the peer says something impossible.
const std::byte* Mailbox::bytes_of(const Line::Head& head, const Line::Place& place,
                                   const Transfer& transfer) const {
  if (head.bytes > transfer.size - received_) return nullptr;
  if (is_inline(transfer.size)) return next_line().payload.data();
  const bool is_published = place.where == Line::Place::Where::segment;
  const std::size_t room = is_published ? peer_.segment_bytes : peer_.ring_bytes;
  const auto* const begin =
      is_published ? reinterpret_cast<const std::byte*>(peer_.head) : peer_.outbox->ring();
  const bool fits = head.bytes <= room && place.offset <= room - head.bytes;
  return fits && head.bytes > 0 ? begin + place.offset : nullptr;
}

// The bytes are where their owner has them, who may take them back at any time.
bool Mailbox::receive_in_place(Traffic& traffic, const Line::Place& place,
                               const Operation& operation) {
  region_ = talk_.find(place.region);
  Transfer& transfer = traffic.recvs.front();
  if (!region_) {
    refuse_region(transfer, operation);
    return true;
  }
  const bool is_inside =
      place.offset <= region_->bytes() && transfer.size <= region_->bytes() - place.offset;
  if (!is_inside) {
    traffic.trouble = Trouble::garbage;
    return false;
  }
  own_.inbox->is_reading.store(1, std::memory_order_seq_cst);
  const std::byte* const bytes = region_->data() + place.offset;
  if (transfer.borrow) {
    if (is_taken_back()) return end_reading();
    lend(transfer, bytes, 0, transfer.size);
    traffic.recvs.finish();
    return true;
  }
  const std::size_t count = std::min(transfer.size - received_, turn_bytes);
  if (!is_taken_back()) copy_out(transfer, received_, bytes + received_, count);
  if (!end_reading()) return false;
  received_ += count;
  if (received_ == transfer.size) {
    received_ = 0;
    acknowledge(transfer, operation);
    traffic.recvs.finish();
  }
  return true;
}

// This process has no descriptor or no mapping left: the message comes again, through the ring.
void Mailbox::refuse_region(const Transfer& transfer, const Operation& operation) {
  own_.inbox->refused.store(taken_ + 1, std::memory_order_relaxed);
  acknowledge(transfer, operation);
}

bool Mailbox::is_taken_back() const {
  return peer_.outbox->is_closed.load(std::memory_order_seq_cst) != 0;
}

// False where the peer took back what was read: it may have changed meanwhile.
bool Mailbox::end_reading() {
  own_.inbox->is_reading.store(0, std::memory_order_seq_cst);
  is_revoked_ = is_taken_back();
  return !is_revoked_;
}

void Mailbox::acknowledge(const Transfer& transfer, const Operation& operation) {
  count_time(transfer, operation);
  own_.inbox->taken.store(++taken_, std::memory_order_release);
  fence_here(has_light_fences_);
  if (peer_.outbox->is_full.load(std::memory_order_relaxed) != 0) ring_bell();
}

bool Mailbox::release(Transfer& transfer, const Operation& operation) {
  if (transfer.kind == Transfer::Kind::send) {
    Line& line = own_.outbox->lines[written_ % lines];
    line.bytes = static_cast<std::uint32_t>(transfer.size);
    begin_line(line, transfer, operation);
    publish();
    if (Publisher::Piece* const piece = std::exchange(piece_, nullptr)) {
      piece->written = piece->size;
      publisher_.announce(*piece, *peer_.inbox, written_);
    }
    clear_full();
    transfer.state.store(Transfer::State::done, std::memory_order_relaxed);
    return true;
  }
  if (lent_ != &transfer) return true;
  lent_ = nullptr;
  const bool was_in_place = own_.inbox->is_reading.load(std::memory_order_relaxed) != 0;
  if (was_in_place && !end_reading()) return false;
  if (transfer.state.load(std::memory_order_relaxed) == Transfer::State::part) {
    transfer.state.store(Transfer::State::posted, std::memory_order_relaxed);
  }
  acknowledge(transfer, operation);
  return true;
}

void Mailbox::glance(Traffic& traffic, const Operation& operation) {
  const bool is_of_interest = traffic.recvs.empty() && lent_ == nullptr &&
                              traffic.trouble == Trouble::none && has_arrived();
  if (!is_of_interest) return;
  const Frame next = peer_.outbox->frames[taken_ % lines];
  traffic.last_heard = std::max(traffic.last_heard, next.sequence);
  // The peer may have finished this operation and begun the next one.
  if (agrees(next, operation) || next.sequence > operation.frame.sequence) return;
  traffic.trouble = Trouble::disagreement;
  traffic.frame = next;
}

bool Mailbox::is_stuck(const Traffic& traffic, bool is_gone) const {
  if (!is_gone) return false;
  const bool lacks_message = !traffic.recvs.empty() && lent_ == nullptr && !has_arrived();
  const bool needs_peer =
      !traffic.sends.empty() && (is_offered_ || !has_room(traffic.sends.front()));
  const bool lacks_room =
      needs_peer && peer_.inbox->taken.load(std::memory_order_acquire) == freed_;
  return lacks_message || lacks_room;
}

void Mailbox::prepare_sleep(const Traffic& traffic) {
  if (!traffic.sends.empty()) own_.outbox->is_full.store(1, std::memory_order_relaxed);
}

void Mailbox::ring_bell() const {
  (void)::eventfd_write(peer_.bell, 1);
}

}  // namespace rondo::process
