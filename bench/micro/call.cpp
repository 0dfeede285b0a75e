// What a repeated call costs beside its bytes: 4 B in a world of one, and between two threads.
//
//   chrt -f 10 taskset -c 1 build/bench/micro/bench_call --benchmark_filter=alone

#include <benchmark/benchmark.h>

#include <array>
#include <cstddef>
#include <vector>

#include "rondo/rondo.hpp"

namespace {

using namespace rondo;

void blocking(benchmark::State& state, int ranks) {
  static std::vector<Communicator> world;
  if (state.thread_index() == 0) world = Communicator::local(ranks);
  std::array<float, 1> value = {1};
  for (auto _ : state) {
    world[static_cast<std::size_t>(state.thread_index())].allreduce(value, Op::max);
    benchmark::DoNotOptimize(value);
  }
}

void nonblocking(benchmark::State& state, int ranks) {
  static std::vector<Communicator> world;
  if (state.thread_index() == 0) world = Communicator::local(ranks);
  std::array<float, 1> value = {1};
  for (auto _ : state) {
    world[static_cast<std::size_t>(state.thread_index())].iallreduce(value, Op::max).wait();
    benchmark::DoNotOptimize(value);
  }
}

void persistent(benchmark::State& state, int ranks) {
  static std::vector<Communicator> world;
  if (state.thread_index() == 0) world = Communicator::local(ranks);
  std::array<float, 1> value = {1};
  Persistent call;
  for (auto _ : state) {
    if (!call) {
      Communicator& own = world[static_cast<std::size_t>(state.thread_index())];
      call = own.allreduce_init(value, Op::max);
    }
    call.start();
    call.wait();
    benchmark::DoNotOptimize(value);
  }
}

BENCHMARK_CAPTURE(blocking, alone, 1);
BENCHMARK_CAPTURE(persistent, alone, 1);
BENCHMARK_CAPTURE(nonblocking, alone, 1)->UseRealTime();
BENCHMARK_CAPTURE(blocking, two_threads, 2)->Threads(2)->UseRealTime();
BENCHMARK_CAPTURE(persistent, two_threads, 2)->Threads(2)->UseRealTime();

}  // namespace

BENCHMARK_MAIN();
