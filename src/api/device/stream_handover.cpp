#include "api/device/stream_handover.hpp"

#include <atomic>

#include "api/device/flags.hpp"
#include "api/device/looking.hpp"

namespace rondo {

Result<std::uint32_t> StreamHandover::given() {
  const std::uint32_t word = std::atomic_ref(*given_).load(std::memory_order_acquire);
  const std::uint32_t chunks = has_come(word, turns_.before) ? word - turns_.before : 0;
  if (chunks >= turns_.in) return turns_.in;
  if (++looks_ % looks_between_questions != 0) return chunks;
  {
    const std::lock_guard lock(mutex_);
    if (failure_) return *failure_;
  }
  // The stream itself may be captured by now, and must not be asked then.
  const Result<bool> asked = runtime_.is_done(last_);
  if (!asked) return asked.error();
  return chunks;
}

void StreamHandover::take(std::uint32_t chunks) noexcept {
  std::atomic_ref(*taken_).store(turns_.before + chunks, std::memory_order_release);
}

void StreamHandover::take_back(const std::optional<Error>&) noexcept {
  std::atomic_ref(*taken_).store(turns_.end(), std::memory_order_release);
}

void StreamHandover::give(const Work& before, const Work& after) {
  // The words are those of all calls, which may be in different streams.
  Result<> done = runtime_.wait(stream_, last_);
  if (done) done = enqueue(before, after);
  // Also after an error, for what it has been given until then.
  const Result<> recorded = runtime_.record(stream_, last_);
  if (done) done = recorded;
  if (done) return;
  fail(done.error());
  throw done.error();
}

Result<> StreamHandover::enqueue(const Work& before, const Work& after) {
  Result<> done;
  for (std::uint32_t chunk = 1; done && chunk <= turns_.in; ++chunk) {
    if (before) done = before(chunk);
    if (done) done = runtime_.write_value(stream_, given_, turns_.before + chunk);
  }
  for (std::uint32_t chunk = 1; done && chunk <= turns_.out; ++chunk) {
    done = runtime_.wait_value(stream_, taken_, turns_.before + chunk);
    if (done && after) done = after(chunk);
  }
  return done;
}

void StreamHandover::fail(const Error& error) {
  const std::lock_guard lock(mutex_);
  failure_ = error;
}

}  // namespace rondo
