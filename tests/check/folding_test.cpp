// One period of ranks against all of them.

#include "check/folding.hpp"

#include <gtest/gtest.h>

#include <numeric>
#include <vector>

#include "base/text.hpp"
#include "every_plan.hpp"
#include "rondo/simulate.hpp"

namespace rondo::testing {
namespace {

CostModel cost_model_of(int ranks, int ranks_per_host, int ports = 0) {
  return make_cost_model({.ranks = ranks,
                          .ranks_per_host = ranks_per_host,
                          .ports_per_host = ports,
                          .inner = {.latency_s = 0.6e-6, .overhead_s = 0.1e-6, .byte_s = 1e-11},
                          .outer = {.latency_s = 2.7e-6,
                                    .overhead_s = 0.3e-6,
                                    .byte_s = 1e-10,
                                    .overhead_byte_s = 1e-11,
                                    .window_bytes = 1 << 16},
                          .reduce_byte_s = 3e-11,
                          .copy_byte_s = 2e-11})
      .value();
}

// Segments of equal lengths, so that folding is exact.
Workload even_load(int ranks) {
  return {.bytes = static_cast<std::uint64_t>(ranks) * 32768, .tile_bytes = 8192};
}

// Whether several lanes of a rank want its port or its processor at the same moment. Who is served
// first then depends on the order in which ranks are looked at, and folded ranks are all first:
// where hosts share a port, folding is too hopeful, by a factor of three for 24 ranks.
bool has_ties(const Plan& plan, int ports) {
  // Each rank has one message at a time, but ranks of a host may send theirs to different hosts.
  if (plan.algorithm == Algorithm::circulant) return ports > 0;
  if (plan.channels > 1 || plan.algorithm == Algorithm::two_level) return true;
  return plan.collective == Collective::alltoall &&
         (plan.algorithm == Algorithm::one_shot || plan.algorithm == Algorithm::bruck);
}

TEST(Folding, SymmetricSchedulesTakeAsLongAsInFull) {
  int compared = 0;
  for (const int ranks : {2, 3, 4, 6, 8, 12, 16, 24}) {
    for (const int group : {1, 2, 3, 4, 8}) {
      if (ranks % group != 0 || ranks == group) continue;
      for (const int ports : {0, 1}) {
        for (const Plan& plan : every_plan(ranks, {2})) {
          const CostModel model = cost_model_of(ranks, group, ports);
          const Workload load = even_load(ranks);
          const auto folded = simulate(plan, model, load, {.folding = Folding::always});
          if (!folded) continue;
          const auto full = simulate(plan, model, load, {.folding = Folding::never});
          EXPECT_EQ(folded.value().simulated_ranks, group);
          EXPECT_EQ(full.value().simulated_ranks, ranks);
          const std::string what = concat(name(plan.algorithm), " ", name(plan.collective), " of ",
                                          ranks, " ranks, ", group, " a host, ", ports, " ports");
          if (has_ties(plan, ports)) {
            EXPECT_LE(folded.value().seconds, 1.15 * full.value().seconds) << what;
          } else {
            EXPECT_DOUBLE_EQ(folded.value().seconds, full.value().seconds) << what;
          }
          ++compared;
        }
      }
    }
  }
  EXPECT_GT(compared, 200);
}

TEST(Folding, AppliesToSymmetricSchedulesOnly) {
  for (int ranks = 2; ranks <= 64; ++ranks) {
    for (const Plan& plan : every_plan(ranks, {2})) {
      if (plan.arrangement) continue;
      // Each rank does the same with ranks at the same distances. Trees, lines and hypercubes have
      // places that differ.
      const bool alike =
          !is_rooted(plan.collective) &&
          (plan.algorithm == Algorithm::ring || plan.algorithm == Algorithm::one_shot ||
           plan.algorithm == Algorithm::two_shot || plan.algorithm == Algorithm::pairwise ||
           plan.algorithm == Algorithm::bruck || plan.algorithm == Algorithm::circulant);
      const bool symmetric = fold(plan, 1).has_value();
      if (ranks > 3) {
        EXPECT_EQ(symmetric, alike) << name(plan.algorithm) << " " << name(plan.collective);
      }
    }
  }
  const Plan ring{Algorithm::ring, Collective::allreduce, 12};
  EXPECT_TRUE(fold(ring, 4).has_value());
  EXPECT_FALSE(fold(ring, 5).has_value());   // hosts of different sizes
  EXPECT_FALSE(fold(ring, 12).has_value());  // one period is the world
  EXPECT_FALSE(fold(ring, 0).has_value());
}

TEST(Folding, OneDifferingStepIsFound) {
  const Plan plan{Algorithm::ring, Collective::allreduce, 5};
  const Program first = make_program(plan, 0).value();
  const Program image = make_program(plan, 3).value();
  EXPECT_TRUE(is_shifted(first, image));
  for (std::size_t i = 0; i < image.steps.size(); ++i) {
    Program changed = image;
    changed.steps[i].peer = (changed.steps[i].peer + 1) % 5;
    EXPECT_FALSE(is_shifted(first, changed));
    changed = image;
    changed.steps[i].flags ^= Step::accumulate_flag;
    EXPECT_FALSE(is_shifted(first, changed));
    changed = image;
    changed.steps[i].waits[1] = {1, 1};
    EXPECT_FALSE(is_shifted(first, changed));
  }
}

TEST(Folding, UnevenSegmentsCostAtMostAnElementEach) {
  const Plan plan{Algorithm::ring, Collective::allreduce, 12};
  const CostModel model = cost_model_of(12, 4);
  const Workload load{.bytes = 4 * 1000};  // 83 or 84 elements
  const double folded = simulate(plan, model, load).value().seconds;
  const double full = simulate(plan, model, load, {.folding = Folding::never}).value().seconds;
  EXPECT_GE(folded, full);
  EXPECT_LT(folded, full * 84 / 83);
}

Plan two_level_of(int ranks, int group, int stripes) {
  std::vector<int> order(static_cast<std::size_t>(ranks));
  std::iota(order.begin(), order.end(), 0);
  const std::vector<int> groups(order.size() / static_cast<std::size_t>(group), group);
  Plan plan{Algorithm::two_level, Collective::allreduce, ranks};
  plan.channels = stripes;
  plan.arrangement = Arrangement::make(std::move(order), groups).value();
  return plan;
}

TEST(Folding, HostsAsGroupsAreAlike) {
  for (const int group : {2, 3, 4, 8}) {
    for (const int groups : {2, 3, 5, 8}) {
      const int ranks = group * groups;
      const CostModel model = cost_model_of(ranks, group);
      for (const int stripes : {1, group}) {
        const Plan plan = two_level_of(ranks, group, stripes);
        const Workload load{.bytes = static_cast<std::uint64_t>(ranks) * 32768};
        const auto folded = simulate(plan, model, load, {.folding = Folding::always});
        ASSERT_TRUE(folded.ok()) << folded.error().what();
        EXPECT_EQ(folded.value().simulated_ranks, group);
        const auto full = simulate(plan, model, load, {.folding = Folding::never});
        EXPECT_DOUBLE_EQ(folded.value().seconds, full.value().seconds)
            << groups << " hosts of " << group << " ranks, " << stripes << " stripes";
      }
    }
  }
}

TEST(Folding, LargeWorldsTakeLittleWork) {
  constexpr int ranks = 65'536;
  constexpr int group = 8;
  const CostModel model = cost_model_of(ranks, group);
  const Workload large{.bytes = 1 << 30, .tile_bytes = 256 << 10};
  const auto simulated = [&](const Plan& plan, const Workload& load) {
    const Result<Simulation> found = simulate(plan, model, load);
    EXPECT_TRUE(found.ok()) << found.error().what();
    return found ? found.value() : Simulation{};
  };
  const Simulation ring = simulated({Algorithm::ring, Collective::allreduce, ranks}, large);
  EXPECT_EQ(ring.simulated_steps, 8u * 4 * (ranks - 1));
  const Simulation circulant =
      simulated({Algorithm::circulant, Collective::allreduce, ranks}, large);
  EXPECT_EQ(circulant.simulated_steps, 8u * 4 * 16);
  // A rank passes the stripes of the others round its group twice, and its own round the groups.
  const Simulation two_level = simulated(two_level_of(ranks, group, group), large);
  EXPECT_EQ(two_level.simulated_steps, 8u * 4 * (7 + ranks / 8 - 1));
  for (const Simulation& folded : {ring, circulant, two_level}) {
    EXPECT_EQ(folded.simulated_ranks, group);
    EXPECT_EQ(folded.tiles, 1u);
  }
  // No two ranks of a tree are alike: all are simulated, each for its handful of messages.
  const Simulation tree =
      simulated({Algorithm::double_tree, Collective::allreduce, ranks}, {.bytes = 4096});
  EXPECT_EQ(tree.simulated_ranks, ranks);
  EXPECT_EQ(tree.simulated_steps, 2u * 4 * (ranks - 1));
  EXPECT_LT(tree.seconds, circulant.seconds);
}

}  // namespace
}  // namespace rondo::testing
