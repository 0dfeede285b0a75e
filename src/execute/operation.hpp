#pragma once

// What an engine carries out, and what becomes of it.

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "execute/chunks.hpp"
#include "execute/handover.hpp"
#include "execute/route.hpp"
#include "execute/sized_program.hpp"
#include "plan/cache.hpp"
#include "rondo/erased_call.hpp"
#include "rondo/error.hpp"
#include "rondo/transport.hpp"

namespace rondo {

/// A collective is prepared once for all calls that differ in their buffers only.
struct Operation {
  Call call;
  std::shared_ptr<const PreparedProgram> program = nullptr;  ///< none in an exchange
  std::shared_ptr<const SizedProgram> sized = nullptr;       ///< the same one
  const std::byte* in = nullptr;                             ///< null where the rank has none
  std::byte* out = nullptr;
  std::vector<Message> messages = {};  ///< of an exchange
  /// Of a collective that is started; most have none.
  std::shared_ptr<Handover> handover = nullptr;
  /// Has its buffers, and goes before those that wait for theirs: they may be waiting for this one.
  bool may_overtake = false;
  /// In which its buffers come and go; null: whole.
  std::shared_ptr<const ChunkOrder> chunks = nullptr;
  /// Of a collective that may go another way than by messages.
  std::shared_ptr<Route> route = nullptr;
  std::chrono::milliseconds timeout{0};

  void set_program(std::shared_ptr<const PreparedProgram> prepared, Amount amount);
};

/// An operation that was handed over; Work and Persistent show it to the user.
class PendingOperation {
 public:
  explicit PendingOperation(Operation operation) : operation_(std::move(operation)) {}

  const Operation& operation() const { return operation_; }
  bool done() const noexcept { return done_.load(std::memory_order_acquire); }
  /// True when done. Without `patience`, it always is.
  bool wait(std::optional<std::chrono::milliseconds> patience = std::nullopt);
  /// Set before done() becomes true.
  const std::optional<Error>& error() const {
    return has_failed_.load(std::memory_order_acquire) ? error_ : no_error;
  }
  bool is_awaited() const { return waiters_.load(std::memory_order_relaxed) > 0; }

  void complete(std::optional<Error> error);
  /// Before it is handed over, each time. Nobody waits for it.
  void rearm();
  /// The same of one that others look at meanwhile: its first error stays.
  void reopen() { done_.store(false, std::memory_order_seq_cst); }

 private:
  static const std::optional<Error> no_error;

  Operation operation_;
  std::atomic<bool> done_ = false;
  std::atomic<bool> has_failed_ = false;
  std::atomic<int> waiters_ = 0;
  std::mutex mutex_;
  std::condition_variable finished_;
  std::optional<Error> error_;
};

}  // namespace rondo
