#include "device/emulated/stream.hpp"

#include <chrono>

namespace rondo::test {

void Fate::fail(const Error& error) {
  const std::lock_guard lock(mutex_);
  if (!error_) error_ = error;
  seal();
}

std::optional<Error> Fate::error() const {
  const std::lock_guard lock(mutex_);
  return error_;
}

void Fate::await(const std::function<bool()>& condition) const {
  while (!condition() && !is_sealed()) {
    std::this_thread::sleep_for(std::chrono::microseconds(20));
  }
}

EmulatedGraph::~EmulatedGraph() {
  for (const Kept& each : kept) each.release(each.object);
}

EmulatedStream::EmulatedStream(Fate& fate, int device)
    : fate_(fate), device_(device), thread_([this] { serve(); }) {}

EmulatedStream::~EmulatedStream() {
  {
    const std::lock_guard lock(mutex_);
    is_ending_ = true;
  }
  arrived_.notify_all();
  thread_.join();
}

void EmulatedStream::enqueue(Job job) {
  {
    const std::lock_guard lock(mutex_);
    if (capture_ == Capture::active) graph_->jobs.push_back(std::move(job));
    if (capture_ != Capture::none) return;
    jobs_.push_back(std::move(job));
  }
  arrived_.notify_all();
}

bool EmulatedStream::is_idle() const {
  const std::lock_guard lock(mutex_);
  return jobs_.empty();
}

void EmulatedStream::drain() {
  std::unique_lock lock(mutex_);
  idle_.wait(lock, [this] { return jobs_.empty(); });
}

bool EmulatedStream::begin_capture() {
  const std::lock_guard lock(mutex_);
  if (capture_ != Capture::none) return false;
  capture_ = Capture::active;
  graph_ = std::make_shared<EmulatedGraph>();
  capturing_ = std::this_thread::get_id();
  return true;
}

std::shared_ptr<EmulatedGraph> EmulatedStream::end_capture() {
  const std::lock_guard lock(mutex_);
  if (capture_ != Capture::none && capturing_ != std::this_thread::get_id()) return nullptr;
  capture_ = Capture::none;
  return std::move(graph_);
}

Capture EmulatedStream::capture() const {
  const std::lock_guard lock(mutex_);
  return capture_;
}

void EmulatedStream::break_capture() {
  std::shared_ptr<EmulatedGraph> lost;
  const std::lock_guard lock(mutex_);
  if (capture_ == Capture::none) return;
  capture_ = Capture::broken;
  lost = std::move(graph_);
}

bool EmulatedStream::keep(EmulatedGraph::Kept kept) {
  const std::lock_guard lock(mutex_);
  if (capture_ != Capture::active) return false;
  graph_->kept.push_back(kept);
  return true;
}

void EmulatedStream::serve() {
  std::unique_lock lock(mutex_);
  while (true) {
    arrived_.wait(lock, [this] { return !jobs_.empty() || is_ending_; });
    if (jobs_.empty()) return;
    Job job = std::move(jobs_.front());
    lock.unlock();
    if (!fate_.is_sealed()) {
      if (const Result<> done = job(); !done) fate_.fail(done.error());
    }
    job = nullptr;  // and what it kept, before the stream is idle
    lock.lock();
    jobs_.pop_front();
    if (jobs_.empty()) idle_.notify_all();
  }
}

}  // namespace rondo::test
