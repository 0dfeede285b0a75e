#pragma once

// One connection that carries messages between two ranks on one channel, in both directions.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "transport/blame.hpp"
#include "transport/tcp/dial.hpp"
#include "transport/tcp/frame.hpp"
#include "transport/tcp/lending.hpp"
#include "transport/tcp/socket.hpp"

namespace rondo::tcp {

/// A first-in first-out queue that keeps its memory.
class TransferQueue {
 public:
  bool empty() const { return head_ == items_.size(); }
  Transfer& front() const { return *items_[head_]; }
  void push(Transfer& transfer) { items_.push_back(&transfer); }
  void pop() {
    if (++head_ == items_.size()) clear();
  }
  void clear() {
    items_.clear();
    head_ = 0;
  }
  /// Takes all transfers back from the transport.
  void give_up() {
    while (!empty()) {
      front().state.store(Transfer::State::idle, std::memory_order_relaxed);
      pop();
    }
  }

 private:
  std::vector<Transfer*> items_;
  std::size_t head_ = 0;
};

class DataLink {
 public:
  enum class Trouble : std::uint8_t {
    none,
    disagreement,  ///< the peer's frame is about another call: see frame()
    wrong_size,    ///< the same call, another message size or, in an exchange, type
    garbage,       ///< no frame of this protocol, or not the next one
  };

  /// `tag` names the link in the transport's epoll set.
  DataLink(int peer, std::uint8_t channel, std::uint64_t tag)
      : peer_(peer), channel_(channel), tag_(tag) {}

  int peer() const { return peer_; }
  std::uint8_t channel() const { return channel_; }
  std::uint64_t tag() const { return tag_; }

  /// The connection comes from this side, or …
  void dial(Dial dial) { dial_.emplace(std::move(dial)); }
  bool is_dialling() const { return dial_.has_value(); }
  Result<> advance_dial(Clock::time_point now);
  /// … from the peer. False when the link has one already.
  bool connect(Socket socket);
  bool is_open() const { return static_cast<bool>(socket_); }

  void post(Transfer& transfer);
  /// Moves bytes of posted transfers where the connection may be ready; true when any moved.
  bool move(const Frame& operation, Lending& lending);
  bool send(const Frame& operation);
  /// Looks at the frame that has arrived first, also when nobody waits for it.
  void glance(const Frame& operation);
  /// What epoll said; without it the link believes to be ready until it has proved not to be.
  void set_ready(bool readable, bool writable) {
    readable_ |= readable;
    writable_ |= writable;
  }
  bool has_work() const { return !sends_.empty() || !recvs_.empty(); }

  Trouble trouble() const { return trouble_; }
  const Frame& frame() const { return frame_; }
  /// The message that is waited for.
  Parcel expected() const {
    if (recvs_.empty()) return {};
    return {recvs_.front().size, recvs_.front().dtype};
  }
  /// The connection has ended, and a posted transfer needs it.
  bool is_stuck() const { return (ended_ && has_work()) || (send_failed_ && !sends_.empty()); }
  /// The last operation of which a frame has arrived.
  std::uint64_t last_heard() const { return last_heard_; }

  void close();

 private:
  static constexpr std::size_t buffer_bytes = 16 << 10;
  // Moved before other links get their turn. Larger pieces leave the cache.
  static constexpr std::size_t turn_bytes = 256 << 10;

  bool receive(const Frame& operation, Lending& lending);
  std::size_t buffered() const { return end_ - begin_; }
  bool take_frame(const Frame& operation, Lending& lending);
  Trouble judge(const Frame& frame, const Frame& operation) const;
  void take_buffered();
  std::size_t read_payload();
  std::size_t fill();
  template <class Read>
  std::size_t note_received(Read read);
  void complete_recv();

  int peer_;
  std::uint8_t channel_;
  std::uint64_t tag_;
  std::optional<Dial> dial_;
  Socket socket_;
  bool readable_ = true;
  bool writable_ = true;
  bool ended_ = false;
  bool send_failed_ = false;
  Trouble trouble_ = Trouble::none;
  std::uint64_t last_heard_ = 0;

  TransferQueue sends_;
  Frame outgoing_;
  bool stamped_ = false;
  std::size_t sent_ = 0;  // of frame and message together
  std::uint32_t sent_frames_ = 0;

  TransferQueue recvs_;
  Frame frame_;
  bool in_message_ = false;
  std::size_t received_ = 0;  // of the message
  std::uint32_t received_frames_ = 0;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::array<std::byte, buffer_bytes> buffer_;
};

}  // namespace rondo::tcp
