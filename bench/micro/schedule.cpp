// The time to make one rank's program, and to prove the schedule of a whole world.
//
//   build/bench/micro/bench_schedule --benchmark_filter=verify

#include <benchmark/benchmark.h>

#include <cstdint>
#include <string>

#include "base/text.hpp"
#include "rondo/schedule.hpp"

namespace {

using namespace rondo;

Plan plan_of(Algorithm algorithm, Collective collective, const benchmark::State& state) {
  return {algorithm, collective, static_cast<int>(state.range(0))};
}

void make_one_program(benchmark::State& state, Algorithm algorithm, Collective collective) {
  const Plan plan = plan_of(algorithm, collective, state);
  const int rank = plan.ranks / 2;
  std::int64_t steps = 0;
  for (auto _ : state) {
    const Result<Program> program = make_program(plan, rank);
    if (!program) return state.SkipWithError(program.error().what());
    steps += static_cast<std::int64_t>(program.value().steps.size());
    benchmark::DoNotOptimize(program);
  }
  state.SetItemsProcessed(steps);
}

void verify_schedule(benchmark::State& state, Algorithm algorithm, Collective collective) {
  const Result<Schedule> schedule = make_schedule(plan_of(algorithm, collective, state));
  if (!schedule) return state.SkipWithError(schedule.error().what());
  std::int64_t steps = 0;
  for (auto _ : state) {
    const Result<Proof> proof = verify(schedule.value());
    if (!proof) return state.SkipWithError(proof.error().what());
    steps += static_cast<std::int64_t>(proof.value().steps);
  }
  state.SetItemsProcessed(steps);
}

void add(Algorithm algorithm, Collective collective) {
  const std::string plan = concat(name(algorithm), "/", name(collective));
  benchmark::RegisterBenchmark(("make_program/" + plan).c_str(), make_one_program, algorithm,
                               collective)
      ->Arg(8)
      ->Arg(64)
      ->Arg(1024);
  benchmark::RegisterBenchmark(("verify/" + plan).c_str(), verify_schedule, algorithm, collective)
      ->Arg(8)
      ->Arg(64)
      ->Arg(256)
      ->Unit(benchmark::kMicrosecond);
}

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  add(Algorithm::ring, Collective::allreduce);
  add(Algorithm::double_tree, Collective::allreduce);
  add(Algorithm::knomial, Collective::broadcast);
  add(Algorithm::two_shot, Collective::allreduce);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
