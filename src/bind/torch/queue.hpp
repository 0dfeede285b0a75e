#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

namespace rondo_torch {

/// Jobs that are carried out one after another, in the order in which they came: in a thread, which
/// the first one that needs it starts, or at once in the caller's. Jobs do not throw.
class Queue {
 public:
  using Job = std::function<void()>;

  explicit Queue(std::string thread_name) : thread_name_(std::move(thread_name)) {}
  /// As end() does it.
  ~Queue() { end(); }
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;

  /// Carries out what is left. To be short of that, let the jobs fail first. Nothing may be posted
  /// afterwards.
  void end();

  void post(Job job);
  /// In this thread if nothing is pending, and posted otherwise: for callers who wait anyway.
  void post_or_run(Job job);

  /// Whether all jobs are done, for which it waits for `patience` at most.
  bool wait_until_idle(std::chrono::milliseconds patience);

 private:
  struct State {
    std::mutex mutex;
    std::condition_variable changed;
    std::deque<Job> jobs;
    bool is_busy = false;
    bool is_ending = false;
    std::thread::id thread;

    bool is_own_thread() const { return thread == std::this_thread::get_id(); }
  };

  void push(Job job);  // with the lock
  static void carry_out(const std::shared_ptr<State>& state);

  std::string thread_name_;
  std::shared_ptr<State> state_ = std::make_shared<State>();
  std::thread thread_;
};

}  // namespace rondo_torch
