#pragma once

// Work in order, on a thread of its own.

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>

#include "rondo/error.hpp"

namespace rondo::test {

/// What ended the work of a process on its devices, if anything did.
class Fate {
 public:
  void fail(const Error& error);
  std::optional<Error> error() const;
  bool is_sealed() const { return is_sealed_.load(std::memory_order_acquire); }
  /// The process ends: whatever waits goes on.
  void seal() { is_sealed_.store(true, std::memory_order_release); }

 private:
  mutable std::mutex mutex_;
  std::optional<Error> error_;
  std::atomic<bool> is_sealed_ = false;
};

class EmulatedStream {
 public:
  using Job = std::function<Result<>()>;

  EmulatedStream(Fate& fate, int device);
  EmulatedStream(const EmulatedStream&) = delete;
  EmulatedStream& operator=(const EmulatedStream&) = delete;
  /// Carries out what it was given.
  ~EmulatedStream();

  int device() const { return device_; }
  void enqueue(Job job);
  bool is_idle() const;
  void drain();

  /// For jobs: returns when the condition holds, or the process has ended or failed.
  void await(const std::function<bool()>& condition) const;

 private:
  void serve();

  Fate& fate_;
  const int device_;
  mutable std::mutex mutex_;
  std::condition_variable arrived_;
  std::condition_variable idle_;
  std::deque<Job> jobs_;  // the first one is under way
  bool is_ending_ = false;
  std::thread thread_;
};

}  // namespace rondo::test
