#include "execute/fork.hpp"

#include <pthread.h>

#include <atomic>

namespace rondo {

namespace {

std::atomic<int> generation = 0;

}  // namespace

int fork_generation() {
  static const int registered = pthread_atfork(nullptr, nullptr, [] { ++generation; });
  return registered == 0 ? generation.load(std::memory_order_relaxed) : 0;
}

}  // namespace rondo
