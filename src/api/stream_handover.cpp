#include "api/stream_handover.hpp"

#include <atomic>

#include "api/device_flags.hpp"
#include "api/value_or_throw.hpp"
#include "base/text.hpp"

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

void StreamHandover::give(DeviceEvent last, const Work& before, const Work& after) {
  // The words are those of all calls, which may be in different streams.
  Result<> done = runtime_.wait(stream_, last);
  if (done && before) done = before();
  if (done) done = runtime_.write_value(stream_, given_, turn_);
  if (done) done = runtime_.wait_value(stream_, taken_, turn_);
  if (done && after) done = after();
  // Also after an error, for what it has been given until then.
  const Result<> recorded = runtime_.record(stream_, last);
  if (done) done = recorded;
  if (done) return;
  fail(done.error());
  throw done.error();
}

void StreamHandover::fail(const Error& error) {
  const std::lock_guard lock(mutex_);
  failure_ = error;
}

void refuse_capture(DeviceRuntime& runtime, DeviceStream stream, Collective collective) {
  if (!value_or_throw(runtime.is_captured(stream))) return;
  throw Error(ErrorCode::unsupported,
              concat(name(collective), ": calls cannot be captured into a graph"));
}

}  // namespace rondo
