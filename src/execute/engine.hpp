#pragma once

// Carries out the operations of one communicator, in order, and sees to it that each one ends: by
// success, by a deadline, or by an error that all ranks agree on.
//
// Threads: a blocking operation runs in its caller's thread when nothing else is pending. The first
// nonblocking operation starts the engine's own thread, which carries out what is queued. At any
// time only one thread uses the transport.
//
// Collectives are carried out one after the other. Exchanges have an engine of their own, since
// each rank counts them for itself; those that are pending go on side by side.

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "execute/executor.hpp"
#include "execute/fork.hpp"
#include "execute/posting.hpp"
#include "plan/cache.hpp"
#include "rondo/transport.hpp"

namespace rondo {

struct Operation {
  Call call;
  std::shared_ptr<const PreparedProgram> program = nullptr;
  Operands operands = {};
  std::vector<Message> messages = {};  ///< of an exchange, which has no program
  std::chrono::milliseconds timeout{0};
};

/// An operation that was handed over; Work shows it to the user.
class PendingOperation {
 public:
  explicit PendingOperation(Operation operation) : operation_(std::move(operation)) {}

  const Operation& operation() const { return operation_; }
  bool done() const noexcept { return done_.load(std::memory_order_acquire); }
  /// True when done within `patience`.
  bool wait_for(std::chrono::milliseconds patience);
  void wait();
  /// Set before done() becomes true.
  const std::optional<Error>& error() const { return error_; }
  bool is_awaited() const { return waiters_.load(std::memory_order_relaxed) > 0; }

  void complete(std::optional<Error> error);

 private:
  Operation operation_;
  std::atomic<bool> done_ = false;
  std::atomic<int> waiters_ = 0;
  std::mutex mutex_;
  std::condition_variable finished_;
  std::optional<Error> error_;
};

class Engine {
 public:
  /// `may_spin`: the ranks of this host have a core each, so that waiting may burn it for a while.
  Engine(std::unique_ptr<Transport> transport, bool may_spin);
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;
  /// Waits for all pending operations. Not for a forked child: see is_own_process().
  ~Engine();
  /// The same; no operation may follow. Partners end before either is destroyed.
  void finish();

  /// False in a forked child. There the engine's thread does not exist, its locks and condition
  /// variables may be taken for ever, and the connections are the parent's: the child must not even
  /// destroy it.
  bool is_own_process() const { return fork_generation() == generation_; }

  Transport& transport() { return *transport_; }
  const Transport& transport() const { return *transport_; }
  bool may_spin() const { return may_spin_; }

  /// Carries out one operation; returns its error.
  Result<> run(const Operation& operation);
  std::shared_ptr<PendingOperation> start(Operation operation);

  /// Any thread: ends the operation under way and all later ones, on all ranks.
  void abort(const std::string& reason);
  /// What ends this engine ends that one, too.
  void join_fate(Engine& other) { partner_ = &other; }
  /// What ended this communicator.
  std::optional<Error> failure() const;

  /// Runs `task` when nothing is pending, with the transport to itself (split uses it).
  template <class Task>
  auto exclusively(Task task) {
    require_own_process();
    std::unique_lock lock(mutex_);
    idle_.wait(lock, [this] { return !busy_ && queue_.empty(); });
    const Turn turn(*this, lock);
    return task(*transport_);
  }

 private:
  using Clock = Transport::Clock;
  using Lock = std::unique_lock<std::mutex>;

  // The right to use the transport, from its making to its end. The mutex is free meanwhile.
  class Turn {
   public:
    Turn(Engine& engine, Lock& lock) : engine_(engine), lock_(lock) {
      engine_.busy_ = true;
      lock_.unlock();
    }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    ~Turn() {
      lock_.lock();
      engine_.give_back(lock_);
    }

   private:
    Engine& engine_;
    Lock& lock_;
  };

  // How long an operation has been getting nowhere, and what to do about it.
  struct Pace {
    Clock::time_point idle_since = Clock::now();
    bool was_moving = true;
    unsigned moves = 0;
    std::chrono::microseconds sleep{0};
  };

  void give_back(Lock& lock) noexcept;
  void serve() noexcept;
  void start_thread();
  void require_own_process() const;
  Error bug_error(const char* text) const noexcept;
  Result<> carry_out(const Operation& operation, const PendingOperation* pending) noexcept;
  template <class Body>
  Result<> guarded(const Operation& operation, Body body) noexcept;
  Result<> drive(const Operation& operation, const PendingOperation* pending);
  Result<> begin(const Operation& operation);
  Result<> go_on(Pace& pace, const Operation& operation, Clock::time_point deadline,
                 bool is_awaited);
  void serve_exchanges(Lock& lock) noexcept;
  Result<> drive_exchanges();
  Result<> begin_new_exchanges();
  void complete_exchange(std::size_t index, const std::optional<Error>& error) noexcept;
  std::vector<int> waiting_for() const;
  void end(const Error& error, bool is_partners);
  void tell_partner() noexcept;
  std::chrono::microseconds patience(Clock::time_point idle_since, Clock::time_point now,
                                     bool is_awaited) const;
  Error poison(const Operation& operation, const Error& finding) noexcept;
  Error verdict_on(const Error& finding) noexcept;
  std::optional<Error> refusal() const;
  Error abort_error() const;

  std::unique_ptr<Transport> transport_;
  const bool may_spin_;
  const int generation_ = fork_generation();
  const Error out_of_memory_;  // made in time
  Executor executor_;
  std::deque<Posting> postings_;  // under way; the queue begins with theirs, in this order
  std::uint64_t sequence_ = 0;
  Engine* partner_ = nullptr;

  mutable std::mutex mutex_;
  std::condition_variable idle_;     // not busy and nothing queued
  std::condition_variable arrived_;  // something for the engine's thread
  bool busy_ = false;                // somebody uses the transport
  bool stopping_ = false;
  std::deque<std::shared_ptr<PendingOperation>> queue_;
  std::thread thread_;
  std::optional<Error> failure_;

  std::atomic<bool> abort_requested_ = false;
  std::optional<Error> abort_;
  bool is_partners_fate_ = false;  // abort_ is what the partner ended with, and told everybody
};

}  // namespace rondo
