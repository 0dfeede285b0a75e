#pragma once

// Carries out the operations of one communicator, in order, and sees to it that each one ends: by
// success, by a deadline, or by an error that all ranks agree on.
//
// Threads: a blocking operation runs in its caller's thread when nothing else is pending. The first
// nonblocking operation starts the engine's own thread, which carries out what is queued. At any
// time only one thread uses the transport.
//
// A persistent operation begins in the thread that starts it when nothing else is pending, and goes
// on in the one that waits for it, or as soon as another operation follows it.
//
// Collectives are carried out one after the other, in the order in which they came; but while one
// waits for its buffers, another that says that it may goes before it. Exchanges have an engine of
// their own, since each rank counts them for itself; those that are pending go on side by side.

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "execute/executor.hpp"
#include "execute/fork.hpp"
#include "execute/operation.hpp"
#include "execute/posting.hpp"
#include "execute/spinning.hpp"
#include "rondo/transport.hpp"

namespace rondo {

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
  /// Called every so often while an operation waits for others. Before the first operation.
  void set_progress(std::function<void()> progress) { progress_ = std::move(progress); }

  /// Carries out one operation; returns its error.
  Result<> run(const Operation& operation);
  std::shared_ptr<PendingOperation> start(Operation operation);
  /// From now on start() lets nobody wait, nor makes a thread. Throws Error.
  void prepare_to_start();

  /// Hands over a collective that was completed or rearmed. It goes no further on its own than its
  /// beginning, unless others follow it: wait(), test() and the next operation carry it on.
  void start_here(const std::shared_ptr<PendingOperation>& pending);
  void wait(PendingOperation& pending);
  /// Goes on as far as that takes no waiting. True when it is done.
  bool test(PendingOperation& pending);

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
    Lock lock(mutex_);
    await_idle(lock);
    const Turn turn(*this, lock);
    finish_begun();
    return task(*transport_);
  }

 private:
  using Clock = Transport::Clock;
  using Lock = std::unique_lock<std::mutex>;

  // Who uses the transport, in one word, so that a call that meets nobody takes its turn and ends
  // it without the mutex: from 0 to `in_use` and back. Everything else happens under the mutex, and
  // with `attention`, which closes the short way: somebody else is, or wants to be, concerned.
  static constexpr unsigned in_use = 1;     // by some thread
  static constexpr unsigned resumable = 2;  // begun_ waits for a thread to carry it on
  static constexpr unsigned attention = 4;  // of who ends a turn or begins one

  // The right to use the transport, from its making to its end. The mutex is free meanwhile.
  class Turn {
   public:
    Turn(Engine& engine, Lock& lock) : engine_(engine), lock_(lock) {
      engine_.gate_.store(in_use | attention, std::memory_order_relaxed);
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

  // How long an operation has been getting nowhere, and what to do about it. The clock is not read
  // before something has to be waited for: most short operations end without.
  struct Pace {
    std::optional<Clock::time_point> deadline = {};
    Clock::time_point idle_since = {};
    bool was_moving = true;
    unsigned moves = 0;
    unsigned idle_polls = 0;
    std::chrono::microseconds sleep{0};
    Clock::time_point asleep_since = {};  // where the last poll slept
  };

  bool enter(unsigned from);
  bool take_turn();
  void leave() noexcept;
  bool is_free();
  void await_idle(Lock& lock);
  void enqueue(const std::shared_ptr<PendingOperation>& pending);
  void give_back(Lock& lock) noexcept;
  void serve() noexcept;
  void require_thread();
  void start_thread();
  std::shared_ptr<PendingOperation> take(std::size_t index);
  static void hand_back(PendingOperation& pending, const Result<>& result) noexcept;
  bool carry_out_overtaker() noexcept;
  void require_own_process() const;
  Error bug_error(const char* text) const noexcept;
  Result<> carry_out(const Operation& operation, const PendingOperation* pending) noexcept;
  template <class Body>
  Result<> guarded(const Operation& operation, Body body) noexcept;
  Result<> drive(const Operation& operation, const PendingOperation* pending);
  Result<> await_buffers(Handover& handover);
  Result<> begin(const Operation& operation);
  bool has_ended(const Operation& operation);
  Result<> go_on(Pace& pace, const Operation& operation, bool is_awaited);
  Result<> go_on_to_end(Pace& pace, const Operation& operation, const PendingOperation* pending);
  bool has_arrived(const Operation& operation);
  void finish_begun() noexcept;
  template <class Body>
  void go_on_with_begun(Body body) noexcept;
  void serve_exchanges(Lock& lock) noexcept;
  Result<> drive_exchanges();
  Result<> begin_new_exchanges();
  void complete_exchange(std::size_t index, const std::optional<Error>& error) noexcept;
  std::vector<int> waiting_for() const;
  void end(const Error& error, bool is_partners);
  void tell_partner() noexcept;
  void note_end_of_wait(const Pace& pace);
  std::chrono::microseconds patience(Clock::time_point idle_since, Clock::time_point now,
                                     bool is_awaited) const;
  Error poison(const Operation& operation, const Error& finding) noexcept;
  Error verdict_on(const Error& finding) noexcept;
  std::optional<Error> refusal() const;
  Error abort_error() const;

  std::unique_ptr<Transport> transport_;
  const bool may_spin_;
  Spinning spinning_;
  std::function<void()> progress_;
  const int generation_ = fork_generation();
  const Error out_of_memory_;  // made in time
  Executor executor_;
  Crossing crossing_;             // of the operation under way, if it has chunks
  Route* route_ = nullptr;        // of the operation under way, until it has ended
  bool is_by_messages_ = true;    // whatever its route
  std::deque<Posting> postings_;  // under way; the queue begins with theirs, in this order
  std::uint64_t sequence_ = 0;
  Engine* partner_ = nullptr;

  mutable std::mutex mutex_;
  std::condition_variable idle_;     // not busy and nothing queued
  std::condition_variable arrived_;  // something for the engine's thread
  bool stopping_ = false;
  std::deque<std::shared_ptr<PendingOperation>> queue_;
  std::atomic<int> overtakers_ = 0;  // in the queue
  std::thread thread_;
  std::optional<Error> failure_;

  std::atomic<unsigned> gate_ = 0;
  // Belong to whoever uses the transport.
  std::shared_ptr<PendingOperation> begun_;  // goes before the queue
  Pace begun_pace_;

  std::atomic<bool> abort_requested_ = false;
  std::optional<Error> abort_;
  bool is_partners_fate_ = false;  // abort_ is what the partner ended with, and told everybody
};

}  // namespace rondo
