#pragma once

// Work in order, on a thread of its own.

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "device/runtime.hpp"

namespace rondo::test {

/// What ended the work of a process on its devices, if anything did.
class Fate {
 public:
  void fail(const Error& error);
  std::optional<Error> error() const;
  bool is_sealed() const { return is_sealed_.load(std::memory_order_acquire); }
  /// The process ends: whatever waits goes on.
  void seal() { is_sealed_.store(true, std::memory_order_release); }
  /// For work: returns when the condition holds, or the process has ended or failed.
  void await(const std::function<bool()>& condition) const;

 private:
  mutable std::mutex mutex_;
  std::optional<Error> error_;
  std::atomic<bool> is_sealed_ = false;
};

/// Work that was captured.
struct EmulatedGraph {
  using Job = std::function<Result<>()>;
  struct Kept {
    void (*release)(void*);
    void* object;
  };

  EmulatedGraph() = default;
  EmulatedGraph(const EmulatedGraph&) = delete;
  EmulatedGraph& operator=(const EmulatedGraph&) = delete;
  ~EmulatedGraph();

  std::vector<Job> jobs;
  std::vector<Kept> kept;
};

class EmulatedStream {
 public:
  using Job = EmulatedGraph::Job;

  EmulatedStream(Fate& fate, int device);
  EmulatedStream(const EmulatedStream&) = delete;
  EmulatedStream& operator=(const EmulatedStream&) = delete;
  /// Carries out what it was given.
  ~EmulatedStream();

  int device() const { return device_; }
  void enqueue(Job job);
  bool is_idle() const;
  void drain();

  /// What is enqueued goes into a graph from now on. False where it does already.
  bool begin_capture();
  /// Null where there is none, or it is broken, or another thread began it.
  std::shared_ptr<EmulatedGraph> end_capture();
  Capture capture() const;
  void break_capture();
  /// False where nothing is captured.
  bool keep(EmulatedGraph::Kept kept);

 private:
  void serve();

  Fate& fate_;
  const int device_;
  mutable std::mutex mutex_;
  std::condition_variable arrived_;
  std::condition_variable idle_;
  std::deque<Job> jobs_;  // the first one is under way
  Capture capture_ = Capture::none;
  std::shared_ptr<EmulatedGraph> graph_;  // while it is captured
  std::thread::id capturing_;
  bool is_ending_ = false;
  std::thread thread_;
};

}  // namespace rondo::test
