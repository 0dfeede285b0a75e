#pragma once

// Waiting for what MPI does meanwhile, without staying inside it.

#include <sched.h>

#include <chrono>
#include <thread>

namespace rondo::bind {

/// Whether `is_done()` came true in time. While all ranks are on their way it does so soon, and
/// then whenever the last one arrives.
template <class IsDone>
bool await(IsDone is_done, std::chrono::milliseconds patience) {
  constexpr auto yielding_time = std::chrono::milliseconds(5);
  constexpr auto nap = std::chrono::milliseconds(1);
  const auto start = std::chrono::steady_clock::now();
  while (!is_done()) {
    const auto waited = std::chrono::steady_clock::now() - start;
    if (waited > patience) return false;
    if (waited < yielding_time) {
      ::sched_yield();
    } else {
      std::this_thread::sleep_for(nap);
    }
  }
  return true;
}

}  // namespace rondo::bind
