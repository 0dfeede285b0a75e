#pragma once

// What moves the bytes of one link: a TCP connection, shared memory or a fabric. The rest of a link
// is the same for all of them.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "transport/blame.hpp"
#include "transport/control/frame.hpp"

namespace rondo::process {

/// A first-in first-out queue that keeps its memory.
class TransferQueue {
 public:
  bool empty() const { return head_ == items_.size(); }
  Transfer& front() const { return *items_[head_]; }
  std::size_t size() const { return items_.size() - head_; }
  Transfer& at(std::size_t place) const { return *items_[head_ + place]; }
  void push(Transfer& transfer) { items_.push_back(&transfer); }
  void pop() {
    if (++head_ == items_.size()) return clear();
    // One that is never empty would grow for ever.
    if (head_ < most_left_behind || 2 * head_ < items_.size()) return;
    items_.erase(items_.begin(), items_.begin() + static_cast<std::ptrdiff_t>(head_));
    head_ = 0;
  }
  void clear() {
    items_.clear();
    head_ = 0;
  }
  /// Completes the first one.
  void finish() {
    Transfer& transfer = front();
    pop();
    transfer.state.store(Transfer::State::done, std::memory_order_release);
  }
  /// Takes all transfers back from the transport.
  void give_up() {
    while (!empty()) {
      front().state.store(Transfer::State::idle, std::memory_order_relaxed);
      pop();
    }
  }

 private:
  static constexpr std::size_t most_left_behind = 64;

  std::vector<Transfer*> items_;
  std::size_t head_ = 0;
};

/// What the messages of the current operation say of it.
struct Operation {
  Frame frame;                  ///< but for what differs from message to message
  std::uint64_t agreement = 0;  ///< the same number on ranks that carry out the same operation
  std::uint64_t digest = 0;     ///< of the call
};

Operation make_operation(std::uint64_t context, std::uint64_t sequence, const Call& call);
/// Makes of an operation a later one with the same call.
void renumber(Operation& operation, std::uint64_t sequence);
/// Whether the peer's frame is about this operation.
bool agrees(const Frame& frame, const Operation& operation);

enum class Trouble : std::uint8_t {
  none,
  disagreement,  ///< the peer's frame is about another call
  wrong_size,    ///< the same call, another message size or, in an exchange, type
  garbage,       ///< no frame of this protocol, or not the next one
  network,       ///< a fabric has failed
};

/// What is under way on a link, and what has been noticed there.
struct Traffic {
  TransferQueue sends;
  TransferQueue recvs;
  Trouble trouble = Trouble::none;
  Frame frame = {};                   ///< the peer's last one, where it matters
  std::uint64_t last_heard = 0;       ///< the last operation of which a message has arrived
  std::optional<Error> failure = {};  ///< of the network
};

/// The next message on a connection on which a frame goes before each message.
struct NextMessage {
  std::uint8_t channel = 0;
  std::uint32_t position = 0;  ///< messages before it
};

/// Whether the frame in `traffic` is that of the recv at the front. Notes what is wrong if not, and
/// that the peer was heard if it is.
bool accept_frame(Traffic& traffic, const Operation& operation, const NextMessage& next);
/// Notes what a frame says that has arrived before anybody waits for its message.
void note_early_frame(Traffic& traffic, const Frame& frame, const Operation& operation,
                      const NextMessage& next);

class Carrier {
 public:
  Carrier() = default;
  Carrier(const Carrier&) = delete;
  Carrier& operator=(const Carrier&) = delete;
  virtual ~Carrier() = default;

  /// Move bytes of posted transfers without waiting; true when any moved.
  virtual bool send(Traffic& traffic, const Operation& operation) = 0;
  virtual bool receive(Traffic& traffic, const Operation& operation) = 0;
  /// Room for a message that is made where it travels, if there is: see Transfer::borrow. No send
  /// is posted.
  virtual void lend_room(Transfer&, const Operation&) {}
  /// Ends the borrow of a completed recv, or of a part; or sends what was made in the room. False
  /// where the peer has taken back what was lent.
  virtual bool release(Transfer& transfer, const Operation& operation) = 0;
  /// Looks at the frame that has arrived first, also when nobody waits for it.
  virtual void glance(Traffic& traffic, const Operation& operation) = 0;
  /// A posted transfer can never be completed. `is_gone`: so is the peer, who has left its last
  /// traces by now.
  virtual bool is_stuck(const Traffic& traffic, bool is_gone) const = 0;
  /// Nothing has passed so far.
  virtual bool is_unused() const = 0;
  /// What epoll said.
  virtual void set_ready(bool, bool) {}
  /// Before the caller sleeps: the peer shall ring when it makes place for what is unsent.
  virtual void prepare_sleep(const Traffic&) {}
  /// The end of the link: from now on the peer does not begin to read what is the user's.
  virtual void close() {}
  /// It still reads what it began to read before.
  virtual bool is_being_read() const { return false; }
  /// Looking costs no system call, and the peer rings.
  virtual bool is_memory() const { return false; }
  /// Nothing announces what arrives: somebody has to look.
  virtual bool is_polled() const { return false; }
};

}  // namespace rondo::process
