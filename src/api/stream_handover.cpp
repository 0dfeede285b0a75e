#include "api/stream_handover.hpp"

#include <atomic>

#include "api/device_flags.hpp"

namespace rondo {

namespace {

// A stream that failed says so when it is asked, which takes longer than a look at a word.
constexpr unsigned looks_between_questions = 64;

}  // namespace

Result<bool> StreamHandover::is_given() {
  if (has_come(std::atomic_ref(*given_).load(std::memory_order_acquire), turn_)) return true;
  if (++looks_ % looks_between_questions != 0) return false;
  {
    const std::lock_guard lock(mutex_);
    if (failure_) return *failure_;
  }
  const Result<bool> asked = runtime_.is_done(stream_);
  if (!asked) return asked.error();
  return false;
}

void StreamHandover::take_back() noexcept {
  std::atomic_ref(*taken_).store(turn_, std::memory_order_release);
}

void StreamHandover::fail(const Error& error) {
  const std::lock_guard lock(mutex_);
  failure_ = error;
}

}  // namespace rondo
