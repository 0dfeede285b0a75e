#include "api/stream_handover.hpp"

#include <atomic>

#include "api/device_flags.hpp"

namespace rondo {

namespace {

// A stream that failed says so when its event is asked, which takes longer than a look at a word.
// The stream itself may be captured by now, and must not be asked then.
constexpr unsigned looks_between_questions = 64;

}  // namespace

Result<bool> StreamHandover::is_given() {
  if (has_come(std::atomic_ref(*given_).load(std::memory_order_acquire), turn_)) return true;
  if (++looks_ % looks_between_questions != 0) return false;
  {
    const std::lock_guard lock(mutex_);
    if (failure_) return *failure_;
  }
  const Result<bool> asked = runtime_.is_done(last_);
  if (!asked) return asked.error();
  return false;
}

void StreamHandover::take_back(const std::optional<Error>&) noexcept {
  std::atomic_ref(*taken_).store(turn_, std::memory_order_release);
}

void StreamHandover::give(const Work& before, const Work& after) {
  // The words are those of all calls, which may be in different streams.
  Result<> done = runtime_.wait(stream_, last_);
  if (done && before) done = before();
  if (done) done = runtime_.write_value(stream_, given_, turn_);
  if (done) done = runtime_.wait_value(stream_, taken_, turn_);
  if (done && after) done = after();
  // Also after an error, for what it has been given until then.
  const Result<> recorded = runtime_.record(stream_, last_);
  if (done) done = recorded;
  if (done) return;
  fail(done.error());
  throw done.error();
}

void StreamHandover::fail(const Error& error) {
  const std::lock_guard lock(mutex_);
  failure_ = error;
}

}  // namespace rondo
