// Worlds of 65,536 ranks: how much memory and work they take. Each runs in a process of its own,
// whose peak is what the system says of it.

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <numeric>

#include "rondo/simulate.hpp"

namespace rondo::testing {
namespace {

constexpr int ranks = 65'536;
constexpr int per_host = 8;
constexpr std::uint64_t mib = 1 << 20;
constexpr std::uint64_t gib = 1024 * mib;

// Bytes of memory that `work` needed at most; what it expects in vain fails the test.
std::uint64_t peak_of(const std::function<void()>& work) {
  const pid_t child = ::fork();
  if (child == 0) {
    work();
    ::_exit(::testing::Test::HasFailure() ? 1 : 0);
  }
  int status = -1;
  rusage usage = {};
  EXPECT_EQ(::wait4(child, &status, 0, &usage), child);
  EXPECT_EQ(status, 0) << "see above";
  return static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
}

Plan plan_of(Algorithm algorithm) {
  Plan plan{algorithm, Collective::allreduce, ranks};
  if (algorithm != Algorithm::two_level) return plan;
  std::vector<int> order(ranks);
  std::iota(order.begin(), order.end(), 0);
  plan.channels = per_host;
  plan.arrangement =
      Arrangement::make(std::move(order), std::vector<int>(ranks / per_host, per_host)).value();
  return plan;
}

CostModel model() {
  const LinkCost inner{.latency_s = 1e-6, .overhead_s = 1e-7, .byte_s = 1 / 100e9};
  const LinkCost outer{.latency_s = 2e-6, .overhead_s = 5e-7, .byte_s = 1 / 12e9};
  return make_cost_model(
             TwoLevel{.ranks = ranks, .ranks_per_host = per_host, .inner = inner, .outer = outer})
      .value();
}

TEST(LargeWorlds, ARanksProgramHasTheStepsOfTheoryAndFewBytes) {
  const std::uint64_t peak = peak_of([] {
    // Each segment but one is sent and received twice: reduced, then passed on.
    for (const int rank : {0, 1, ranks / 2, ranks - 1}) {
      EXPECT_EQ(make_program(plan_of(Algorithm::ring), rank).value().steps.size(),
                4u * (ranks - 1));
    }
    // In each of two trees a rank has a parent and two children at most, up and down.
    std::size_t steps = 0;
    for (int rank = 0; rank < ranks; ++rank) {
      const Program program = make_program(plan_of(Algorithm::double_tree), rank).value();
      EXPECT_LE(program.steps.size(), 12u);
      steps += program.steps.size();
    }
    EXPECT_EQ(steps, 2u * 4 * (ranks - 1));
  });
  EXPECT_LT(peak, 128 * mib);
}

TEST(LargeWorlds, AreSimulatedInLittleMemoryAndFewSteps) {
  const Workload large{.bytes = gib, .tile_bytes = 256 << 10};
  for (const Algorithm algorithm :
       {Algorithm::ring, Algorithm::double_tree, Algorithm::two_level, Algorithm::circulant}) {
    const std::uint64_t peak = peak_of([&] {
      const Result<Simulation> found = simulate(plan_of(algorithm), model(), large);
      ASSERT_TRUE(found.ok()) << found.error().what();
      EXPECT_GT(found.value().seconds, 0);
      // Seconds of work at most: 10 million steps and more are simulated in one.
      EXPECT_LE(found.value().simulated_steps, 10'000'000u);
    });
    EXPECT_LT(peak, gib) << name(algorithm);
  }
}

}  // namespace
}  // namespace rondo::testing
