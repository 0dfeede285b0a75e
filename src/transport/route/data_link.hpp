#pragma once

// What two ranks say to each other on one channel, from the search for a medium to the last byte.

#include <cstdint>
#include <memory>
#include <optional>

#include "transport/control/dial.hpp"
#include "transport/route/carrier.hpp"
#include "transport/shm/introduction.hpp"
#include "transport/tcp/lending.hpp"

namespace rondo::process {

class DataLink {
 public:
  /// `tag` names the link in the transport's epoll set.
  DataLink(int peer, std::uint8_t channel, std::uint64_t tag)
      : peer_(peer), channel_(channel), tag_(tag) {}

  int peer() const { return peer_; }
  std::uint8_t channel() const { return channel_; }
  std::uint64_t tag() const { return tag_; }

  /// Goes to the peer: for a connection, or to share memory.
  void dial(Dial dial) { dial_.emplace(std::move(dial)); }
  /// Talks about shared memory with the peer, on whatever side.
  void introduce(Introduction introduction) { introduction_.emplace(std::move(introduction)); }
  void carry(std::unique_ptr<Carrier> carrier) { carrier_ = std::move(carrier); }

  /// Sharing memory has failed, and is not tried again.
  void refuse_memory() {
    dial_.reset();
    introduction_.reset();
    is_memory_refused_ = true;
  }
  bool is_memory_refused() const { return is_memory_refused_; }

  std::optional<Dial>& dial() { return dial_; }
  std::optional<Introduction>& introduction() { return introduction_; }
  bool is_opening() const { return dial_.has_value() || introduction_.has_value(); }
  bool is_open() const { return carrier_ != nullptr; }
  bool is_memory() const { return is_open() && carrier_->is_memory(); }
  bool is_polled() const { return is_open() && carrier_->is_polled(); }
  /// A peer whose connection broke before it was used opens another one.
  bool may_be_replaced() const { return !is_open() || carrier_->is_unused(); }

  void post(Transfer& transfer) {
    (transfer.kind == Transfer::Kind::send ? traffic_.sends : traffic_.recvs).push(transfer);
  }
  /// Moves bytes of posted transfers where the link may be ready; true when any moved.
  bool move(const Operation& operation) {
    if (!is_open()) return false;
    const bool received = !traffic_.recvs.empty() && carrier_->receive(traffic_, operation);
    const bool sent = !traffic_.sends.empty() && carrier_->send(traffic_, operation);
    return received || sent;
  }
  bool send(const Operation& operation) { return is_open() && carrier_->send(traffic_, operation); }
  bool receive(const Operation& operation) {
    return is_open() && carrier_->receive(traffic_, operation);
  }
  void lend_room(Transfer& transfer) {
    if (is_open() && traffic_.sends.empty()) carrier_->lend_room(transfer);
  }
  bool release(Transfer& transfer, const Operation& operation) {
    return is_open() && carrier_->release(transfer, operation);
  }
  void glance(const Operation& operation) {
    if (is_open()) carrier_->glance(traffic_, operation);
  }
  void set_ready(bool readable, bool writable) {
    if (is_open()) carrier_->set_ready(readable, writable);
  }
  void prepare_sleep() {
    if (is_open()) carrier_->prepare_sleep(traffic_);
  }
  bool has_work() const { return !traffic_.sends.empty() || !traffic_.recvs.empty(); }

  Trouble trouble() const { return traffic_.trouble; }
  const Frame& frame() const { return traffic_.frame; }
  const std::optional<Error>& failure() const { return traffic_.failure; }
  /// The message that is waited for.
  Parcel expected() const {
    if (traffic_.recvs.empty()) return {};
    return {traffic_.recvs.front().size, traffic_.recvs.front().dtype};
  }
  /// A posted transfer waits for what will never come.
  bool is_stuck(bool is_peer_gone) const {
    if (!is_open()) return is_peer_gone && has_work();
    return carrier_->is_stuck(traffic_, is_peer_gone);
  }
  /// The last operation of which a message has arrived.
  std::uint64_t last_heard() const { return traffic_.last_heard; }

  /// First all links of a rank are closed, which takes no time; then it waits until nobody reads
  /// its memory any more, and drops them.
  void close() {
    if (is_open()) carrier_->close();
  }
  bool is_being_read() const { return is_open() && carrier_->is_being_read(); }
  void drop() {
    traffic_.sends.give_up();
    traffic_.recvs.give_up();
    dial_.reset();
    introduction_.reset();
    carrier_.reset();
  }

 private:
  int peer_;
  std::uint8_t channel_;
  std::uint64_t tag_;
  std::optional<Dial> dial_;
  std::optional<Introduction> introduction_;
  bool is_memory_refused_ = false;
  std::unique_ptr<Carrier> carrier_;
  Traffic traffic_;
};

}  // namespace rondo::process
