// The time to plan a call when its size comes up first, and to look the plan up again.
//
//   build/bench/micro/bench_planner --benchmark_filter=lookup

#include <benchmark/benchmark.h>

#include <string>
#include <string_view>

#include "base/text.hpp"
#include "plan/default_costs.hpp"
#include "plan/planner.hpp"

namespace {

using namespace rondo;

Topology one_host(int ranks) {
  Topology topology;
  topology.machines.resize(1);
  topology.hosts.resize(1);
  topology.ranks.resize(static_cast<std::size_t>(ranks));
  return topology;
}

Topology a_host_each(int ranks) {
  Topology topology = one_host(ranks);
  topology.hosts.resize(topology.ranks.size());
  for (std::size_t i = 0; i < topology.ranks.size(); ++i) {
    topology.ranks[i].host = static_cast<int>(i);
  }
  return topology;
}

Topology eight_a_host(int ranks) {
  Topology topology = one_host(ranks);
  topology.hosts.resize((topology.ranks.size() + 7) / 8);
  for (std::size_t i = 0; i < topology.ranks.size(); ++i) {
    topology.ranks[i].host = static_cast<int>(i / 8);
  }
  return topology;
}

void plan(benchmark::State& state, Collective collective, Topology (*topology_of)(int ranks)) {
  const Topology topology = topology_of(static_cast<int>(state.range(0)));
  for (auto _ : state) {
    // A planner never plans a size twice.
    state.PauseTiming();
    auto planner = Planner::make(topology, default_costs("tcp"));
    if (!planner) return state.SkipWithError(planner.error().what());
    state.ResumeTiming();
    const auto found =
        planner.value().choose(collective, static_cast<std::uint64_t>(state.range(1)));
    if (!found) return state.SkipWithError(found.error().what());
  }
}

void make(benchmark::State& state) {
  const Topology topology = eight_a_host(static_cast<int>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(Planner::make(topology, default_costs("tcp")));
}

void lookup(benchmark::State& state) {
  auto planner = Planner::make(one_host(8), default_costs("tcp"));
  if (!planner) return state.SkipWithError(planner.error().what());
  for (auto _ : state) {
    benchmark::DoNotOptimize(planner.value().choose(Collective::allreduce, 1 << 20));
  }
}

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  for (const Collective collective :
       {Collective::allreduce, Collective::broadcast, Collective::allgather}) {
    const auto add = [&](std::string_view title, Topology (*topology_of)(int ranks)) {
      benchmark::RegisterBenchmark(concat(title, name(collective)).c_str(), plan, collective,
                                   topology_of)
          ->ArgsProduct({{2, 4, 8, 64}, {64, 64 << 10, 1 << 20, 64 << 20}})
          ->Unit(benchmark::kMicrosecond);
    };
    add("plan/", one_host);
    add("plan_between_hosts/", a_host_each);
    // Making a planner for so many takes longer than to plan: hence few repetitions.
    benchmark::RegisterBenchmark(concat("plan_for_many/", name(collective)).c_str(), plan,
                                 collective, eight_a_host)
        ->ArgsProduct({{16, 64, 256, 4096, 65536}, {64, 64 << 10, 1 << 20, 64 << 20}})
        ->Iterations(5)
        ->Unit(benchmark::kMicrosecond);
  }
  benchmark::RegisterBenchmark("make", make)
      ->Arg(2)
      ->Arg(8)
      ->Arg(64)
      ->Arg(65536)
      ->Unit(benchmark::kMicrosecond);
  benchmark::RegisterBenchmark("lookup", lookup);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
