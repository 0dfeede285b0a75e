#include "transport/fabric/fabric_link.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace rondo::process {

FabricLink::FabricLink(Socket socket, Fabric& fabric, int peer, std::uint8_t channel)
    : socket_(std::move(socket)), fabric_(fabric), peer_(peer), channel_(channel) {
  own_.stream = static_cast<std::uint64_t>(fabric_.open_stream());
  expect_packets();
  tell(&own_, first_word);
}

FabricLink::~FabricLink() {
  for (const Outgoing& outgoing : outgoing_) fabric_.give_back(outgoing.packet);
  for (Packet* packet : incoming_) fabric_.give_back(packet);
  for (const Lent& lent : lent_) fabric_.give_back(lent.packet);
}

// A few bytes on a connection that carries nothing else always find room.
void FabricLink::tell(const void* words, std::size_t bytes) {
  const ssize_t sent = ::send(socket_.fd(), words, bytes, MSG_NOSIGNAL);
  if (sent != static_cast<ssize_t>(bytes)) ended_ = true;
}

void FabricLink::listen() {
  auto* const words = reinterpret_cast<std::byte*>(&peers_);
  while (!ended_) {
    std::byte beyond;
    const bool is_full = knows_end();
    const ssize_t n = is_full ? ::recv(socket_.fd(), &beyond, 1, 0)
                              : ::recv(socket_.fd(), words + heard_, sizeof peers_ - heard_, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0 || is_full) {
      ended_ = true;
    } else {
      heard_ += static_cast<std::size_t>(n);
    }
  }
}

void FabricLink::close() {
  own_.sent = sent_;
  own_.taken = taken_;
  tell(&own_.sent, sizeof own_ - first_word);
}

bool FabricLink::check(const Result<>& result) {
  if (!result && !failure_) failure_ = result.error();
  return result.ok();
}

bool FabricLink::send(Traffic& traffic, const Operation& operation) {
  if (!knows_stream()) listen();
  bool moved = reap(traffic);
  while (knows_stream() && !failure_ && outgoing_.size() < window &&
         staged_ < traffic.sends.size()) {
    if (!stage(traffic.sends.at(staged_), operation)) break;
    moved = true;
  }
  report(traffic);
  return moved;
}

// One packet more of a message.
bool FabricLink::stage(const Transfer& transfer, const Operation& operation) {
  Packet* const packet = fabric_.take();
  std::size_t head = 0;
  if (!is_frame_staged_) {
    Frame frame = operation.frame;
    if (frame.form == Form::exchange) frame.dtype = transfer.dtype;
    stamp(frame, channel_, sent_frames_, transfer.size);
    std::memcpy(packet->data, &frame, sizeof frame);
    head = sizeof frame;
  }
  const std::size_t count = std::min(transfer.size - staged_bytes_, payload_bytes);
  if (count > 0) std::memcpy(packet->data + head, transfer.data + staged_bytes_, count);
  packet->size = head + count;
  const bool ends_message = staged_bytes_ + count == transfer.size;
  if (!check(fabric_.send(*packet, peer_, static_cast<int>(peers_.stream)))) {
    fabric_.give_back(packet);
    return false;
  }
  outgoing_.push_back({packet, ends_message});
  ++sent_;
  is_frame_staged_ = !ends_message;
  staged_bytes_ = ends_message ? 0 : staged_bytes_ + count;
  if (ends_message) {
    ++staged_;
    ++sent_frames_;
  }
  return true;
}

// What the network still holds back is not sent: nobody moves it while this rank is elsewhere.
bool FabricLink::reap(Traffic& traffic) {
  bool moved = false;
  while (!outgoing_.empty() && !failure_) {
    const Result<bool> done = fabric_.is_done(*outgoing_.front().packet);
    if (!done) failure_ = done.error();
    if (!done || !done.value()) break;
    fabric_.give_back(outgoing_.front().packet);
    if (outgoing_.front().ends_message) {
      traffic.sends.finish();
      --staged_;
    }
    outgoing_.pop_front();
    moved = true;
  }
  return moved;
}

void FabricLink::expect_packets() {
  while (incoming_.size() < window) {
    Packet* const packet = fabric_.take();
    if (!check(fabric_.receive(*packet, peer_, static_cast<int>(own_.stream)))) {
      return fabric_.give_back(packet);
    }
    incoming_.push_back(packet);
  }
}

// The next packet, once it is here.
Fabric::Packet* FabricLink::arrived() {
  if (failure_ || incoming_.empty()) return nullptr;
  const Result<bool> done = fabric_.is_done(*incoming_.front());
  if (!done) failure_ = done.error();
  return done && done.value() ? incoming_.front() : nullptr;
}

bool FabricLink::receive(Traffic& traffic, const Operation& operation) {
  bool moved = false;
  while (!traffic.recvs.empty() && traffic.trouble == Trouble::none &&
         traffic.recvs.front().state.load(std::memory_order_relaxed) != Transfer::State::part) {
    const Packet* const packet = arrived();
    if (packet == nullptr) break;
    if (!in_message_ && !take_frame(*packet, traffic, operation)) break;
    take_payload(traffic);
    moved = true;
  }
  report(traffic);
  return moved;
}

void FabricLink::report(Traffic& traffic) const {
  if (!failure_ || traffic.trouble != Trouble::none) return;
  traffic.trouble = Trouble::network;
  traffic.failure = failure_;
}

// Nothing of a message is written to its destination before its frame has been judged.
bool FabricLink::take_frame(const Packet& packet, Traffic& traffic, const Operation& operation) {
  if (packet.size < sizeof(Frame)) {
    traffic.trouble = Trouble::garbage;
    return false;
  }
  std::memcpy(&traffic.frame, packet.data, sizeof traffic.frame);
  if (!accept_frame(traffic, operation, {channel_, received_frames_})) return false;
  received_ = 0;
  return true;
}

// Of the packet that came: copies it, or lends it.
void FabricLink::take_payload(Traffic& traffic) {
  Packet* const packet = incoming_.front();
  const std::size_t head = in_message_ ? 0 : sizeof(Frame);
  std::byte* const data = packet->data + head;
  const std::size_t count = packet->size - head;
  Transfer& transfer = traffic.recvs.front();
  const std::size_t rest = transfer.size - received_;
  if (count != std::min(rest, payload_bytes)) {
    traffic.trouble = Trouble::garbage;
    return;
  }
  incoming_.pop_front();
  ++taken_;
  in_message_ = count < rest;
  if (!in_message_) ++received_frames_;
  if (transfer.borrow) {
    lent_.push_back({packet, data});
    transfer.data = data;
    transfer.offset = received_;
    transfer.part = count;
    if (in_message_) transfer.state.store(Transfer::State::part, std::memory_order_release);
  } else {
    if (count > 0) std::memcpy(transfer.data + received_, data, count);
    fabric_.give_back(packet);
  }
  received_ += count;
  if (!in_message_) traffic.recvs.finish();
  expect_packets();
}

bool FabricLink::release(Transfer& transfer, const Operation&) {
  const auto found = std::find_if(lent_.begin(), lent_.end(),
                                  [&](const Lent& lent) { return lent.data == transfer.data; });
  if (found == lent_.end()) return true;
  fabric_.give_back(found->packet);
  lent_.erase(found);
  if (transfer.state.load(std::memory_order_relaxed) == Transfer::State::part) {
    transfer.state.store(Transfer::State::posted, std::memory_order_relaxed);
  }
  return true;
}

void FabricLink::glance(Traffic& traffic, const Operation& operation) {
  listen();
  if (!traffic.recvs.empty() || traffic.trouble != Trouble::none || in_message_) return;
  const Packet* const packet = arrived();
  if (packet == nullptr || packet->size < sizeof(Frame)) return;
  Frame next;
  std::memcpy(&next, packet->data, sizeof next);
  note_early_frame(traffic, next, operation, {channel_, received_frames_});
}

// The connection may end before the last packets are here. A peer that left in order said how many
// there are, and how many of those from here it has taken.
bool FabricLink::is_stuck(const Traffic& traffic, bool) const {
  if (failure_) return !traffic.sends.empty() || !traffic.recvs.empty();
  if (!ended_) return false;
  const bool has_all = !knows_end() || taken_ >= peers_.sent;
  const bool took_all = knows_end() && peers_.taken >= sent_ && staged_ == traffic.sends.size();
  return (!traffic.recvs.empty() && has_all) || (!traffic.sends.empty() && !took_all);
}

}  // namespace rondo::process
