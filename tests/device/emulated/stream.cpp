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

void EmulatedStream::await(const std::function<bool()>& condition) const {
  while (!condition() && !fate_.is_sealed()) {
    std::this_thread::sleep_for(std::chrono::microseconds(20));
  }
}

void EmulatedStream::serve() {
  std::unique_lock lock(mutex_);
  while (true) {
    arrived_.wait(lock, [this] { return !jobs_.empty() || is_ending_; });
    if (jobs_.empty()) return;
    const Job& job = jobs_.front();
    lock.unlock();
    if (!fate_.is_sealed()) {
      if (const Result<> done = job(); !done) fate_.fail(done.error());
    }
    lock.lock();
    jobs_.pop_front();
    if (jobs_.empty()) idle_.notify_all();
  }
}

}  // namespace rondo::test
