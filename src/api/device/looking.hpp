#pragma once

// How threads of the host look at what streams do, which nobody tells them.

#include <chrono>
#include <thread>

#include "device/runtime.hpp"

namespace rondo {

/// A stream that failed says so when it is asked, which takes longer than a look at a word.
constexpr unsigned looks_between_questions = 64;

/// Looks until `is_done()`, with pauses; false where the deadline came first.
template <typename IsDone>
bool look_until(std::chrono::steady_clock::time_point deadline, IsDone is_done) {
  while (!is_done()) {
    if (std::chrono::steady_clock::now() >= deadline) return false;
    std::this_thread::sleep_for(std::chrono::microseconds(50));
  }
  return true;
}

/// Until a stream, or the streams in which an event was recorded, have come to an end or failed.
template <typename StreamOrEvent>
void await_end(DeviceRuntime& runtime, StreamOrEvent awaited) {
  if (awaited.native == nullptr) return;
  look_until(std::chrono::steady_clock::time_point::max(), [&] {
    const Result<bool> done = runtime.is_done(awaited);
    return !done || done.value();
  });
}

}  // namespace rondo
