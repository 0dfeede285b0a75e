// The simulator against what can be calculated by hand.

#include "rondo/simulate.hpp"

#include <gtest/gtest.h>

#include <string>

#include "golden.hpp"

namespace rondo::testing {
namespace {

constexpr double us = 1e-6;
// The constants for which LogGOPSim's figures are known.
constexpr LinkCost loggp{.latency_s = 1 * us, .overhead_s = 0.25 * us};

Plan plan_of(Algorithm algorithm, int ranks, Collective collective = Collective::allreduce) {
  return {algorithm, collective, ranks, 0, 2};
}

CostModel hosts(int ranks, int ranks_per_host, LinkCost inner, LinkCost outer, int ports = 0) {
  return make_cost_model({.ranks = ranks,
                          .ranks_per_host = ranks_per_host,
                          .ports_per_host = ports,
                          .inner = inner,
                          .outer = outer})
      .value();
}

CostModel uniform(int ranks, LinkCost link) {
  return hosts(ranks, 1, link, link);
}

double seconds(const Plan& plan, const CostModel& model, const Workload& workload,
               const SimulateOptions& options = {}) {
  const Result<Simulation> simulation = simulate(plan, model, workload, options);
  EXPECT_TRUE(simulation.ok()) << (simulation ? "" : simulation.error().what());
  return simulation ? simulation.value().seconds : -1;
}

TEST(Simulate, WhatTakesForEverIsRefusedNotMiscounted) {
  const LinkCost slow{.latency_s = 1000, .overhead_s = 1000, .byte_s = 1e-3};
  for (const auto& [plan, bytes] :
       {std::pair(plan_of(Algorithm::ring, 4096), std::uint64_t{8}),
        std::pair(plan_of(Algorithm::chain, 4, Collective::broadcast), std::uint64_t{1} << 50)}) {
    const auto refused = simulate(plan, uniform(plan.ranks, slow), {.bytes = bytes});
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().text(),
              "the call takes longer than 26 days on this machine: it is not simulated");
  }
  const Plan two = plan_of(Algorithm::ring, 2);
  EXPECT_NEAR(seconds(two, uniform(2, slow), {.bytes = 1 << 20}), 2 * (3000 + 524.288), 1e-3);
}

TEST(Simulate, RingTakesWhatLogGopsimSays) {
  const Workload small{.bytes = 8};
  for (const Folding folding : {Folding::never, Folding::always}) {
    const SimulateOptions options{.folding = folding};
    EXPECT_DOUBLE_EQ(seconds(plan_of(Algorithm::ring, 64), uniform(64, loggp), small, options),
                     189 * us);
    EXPECT_DOUBLE_EQ(seconds(plan_of(Algorithm::ring, 256), uniform(256, loggp), small, options),
                     765 * us);
  }
}

TEST(Simulate, LongRingsTakeTheBytesThatTheLinksCarry) {
  // 2(p-1)/p n b, and a latency per round where nothing overlaps.
  const LinkCost link{.latency_s = 3 * us, .byte_s = 1e-9};
  for (const int ranks : {2, 3, 8, 17}) {
    const std::uint64_t bytes = 4096u * static_cast<std::uint64_t>(ranks);
    EXPECT_NEAR(seconds(plan_of(Algorithm::ring, ranks), uniform(ranks, link), {.bytes = bytes}),
                2 * (ranks - 1) * (3 * us + 4096e-9), 1e-12);
  }
}

TEST(Simulate, TilesHideLatencyWhereTheWindowIsOpen) {
  LinkCost link{.latency_s = 20 * us, .byte_s = 1e-9};
  const Workload tiled{.bytes = 1 << 20, .tile_bytes = 16 << 10};
  const Plan plan = plan_of(Algorithm::knomial, 2, Collective::broadcast);
  const double closed = seconds(plan, uniform(2, link), tiled);
  EXPECT_NEAR(closed, 64 * (20 * us + 16384e-9), 1e-12);  // each tile waits for its recv
  link.window_bytes = 1 << 20;
  const double open = seconds(plan, uniform(2, link), tiled);
  EXPECT_NEAR(open, 20 * us + 1048576e-9, 1e-12);
  link.window_bytes = 32 << 10;  // two tiles: one travels, one waits
  const double half_open = seconds(plan, uniform(2, link), tiled);
  EXPECT_GT(half_open, open);
  EXPECT_LT(half_open, closed);
}

TEST(Simulate, ShorterSegmentsHaveFewerTiles) {
  // All but one segment are empty: each of their steps is one message, the long one's are 64. Rank
  // 1 sends and receives six segments, one after the other on its processor.
  const LinkCost link{.overhead_s = 1 * us, .window_bytes = 1 << 20};
  Plan plan = plan_of(Algorithm::ring, 4);
  plan.arrangement = Arrangement::make({0, 1, 2, 3}, {}, {0, 0, 0, 1}).value();
  const double busy = 2 * 2 * (64 + 1 + 1) * us;
  const double time = seconds(plan, uniform(4, link), {.bytes = 65536, .tile_bytes = 1024});
  EXPECT_GE(time, busy - 1e-12);
  EXPECT_LT(time, 1.2 * busy);
}

TEST(Simulate, ProcessorsAndPortsDoOneThingAtATime) {
  // Rank 0 of a flat tree of radix 8 sends its vector seven times through one port.
  const Plan flat{Algorithm::knomial, Collective::broadcast, 8, 0, 8};
  const Workload load{.bytes = 1'000'000};
  EXPECT_NEAR(seconds(flat, uniform(8, {.byte_s = 1e-9}), load), 7e-3, 1e-9);
  EXPECT_NEAR(seconds(flat, uniform(8, {.overhead_s = 1e-3}), load), 8e-3, 1e-9);
  // Accumulating: 7 vectors in, each added by the one processor.
  CostModel model = uniform(8, {});
  model.reduce_byte_s = 1e-9;
  const Plan reduce{Algorithm::knomial, Collective::reduce, 8, 0, 8};
  EXPECT_NEAR(seconds(reduce, model, load), 7e-3, 1e-9);
  // A copy of the own block is all that an allgather among ranks without costs takes.
  model.copy_byte_s = 2e-9;
  EXPECT_NEAR(seconds(plan_of(Algorithm::ring, 8, Collective::allgather), model, load), 0.25e-3,
              1e-9);
  model.start_s = 1;
  EXPECT_NEAR(seconds(reduce, model, load), 1 + 7e-3, 1e-9);
}

TEST(Simulate, TheBytesOfAPublicationAreMovedOnce) {
  const Plan flat{Algorithm::knomial, Collective::broadcast, 4, 0, 4};
  LinkCost link{.overhead_s = 1 * us, .overhead_byte_s = 1e-9, .window_bytes = 1 << 20};
  const auto time = [&] { return seconds(flat, uniform(4, link), {.bytes = 10'000}); };
  // Three messages by the root one after the other, then the last one at its receiver.
  EXPECT_NEAR(time(), 4 * 11 * us, 1e-12);
  link.published_bytes = 9'999;
  EXPECT_NEAR(time(), 4 * 11 * us, 1e-12) << "too long";
  link.published_bytes = 10'000;
  EXPECT_NEAR(time(), (11 + 1 + 1 + 11) * us, 1e-12);
  // Links of another class publish nothing.
  const LinkCost alone{.overhead_s = 1 * us, .overhead_byte_s = 1e-9, .window_bytes = 1 << 20};
  EXPECT_NEAR(seconds(flat, hosts(4, 2, link, alone), {.bytes = 10'000}), 4 * 11 * us, 1e-12);
  EXPECT_NEAR(seconds(flat, hosts(4, 3, link, alone), {.bytes = 10'000}), (11 + 1 + 11 + 11) * us,
              1e-12);
}

TEST(Simulate, RanksOfAHostShareItsPorts) {
  // All pairs between two hosts of four ranks. In each of the seven rounds some rank sends across,
  // and without buffers the others wait for it; 16 messages cross each way.
  const LinkCost outer{.byte_s = 1e-9};
  const Plan plan = plan_of(Algorithm::one_shot, 8, Collective::allgather);
  const Workload load{.bytes = 8 * 1000};
  EXPECT_NEAR(seconds(plan, hosts(8, 4, {}, outer), load), 7e-6, 1e-12);
  EXPECT_NEAR(seconds(plan, hosts(8, 4, {}, outer, 1), load), 16e-6, 1e-12);
}

TEST(Simulate, OneRankOnlyCopies) {
  CostModel model = uniform(1, loggp);
  model.copy_byte_s = 1e-9;
  EXPECT_NEAR(seconds(plan_of(Algorithm::ring, 1), model, {.bytes = 1000}), 1e-6, 1e-15);
}

TEST(Simulate, ExtrapolatedTilesTakeWhatSimulatedOnesDo) {
  const Workload load{.bytes = 50'000'004, .tile_bytes = 64 << 10};
  for (const std::uint64_t window : {0, 64 << 10, 256 << 10, 1 << 20}) {
    const LinkCost inner{
        .latency_s = 0.5 * us, .overhead_s = 0.1 * us, .byte_s = 1e-11, .window_bytes = window};
    const LinkCost outer{.latency_s = 9 * us,
                         .overhead_s = 1 * us,
                         .byte_s = 1e-10,
                         .overhead_byte_s = 2e-11,
                         .window_bytes = window};
    for (const Algorithm algorithm : {Algorithm::ring, Algorithm::double_tree, Algorithm::knomial,
                                      Algorithm::one_shot, Algorithm::two_shot}) {
      for (const int ranks : {2, 5, 12, 30}) {
        const CostModel model = hosts(ranks, 4, inner, outer);
        const Plan plan = plan_of(algorithm, ranks);
        const double exact = seconds(plan, model, load, {.most_tiles = 0});
        EXPECT_NEAR(seconds(plan, model, load) / exact, 1, 0.06)
            << name(algorithm) << " of " << ranks << ", window " << window;
      }
    }
  }
}

TEST(Simulate, SameInputSameFigures) {
  const Plan plan = plan_of(Algorithm::double_tree, 100);
  const CostModel model = hosts(100, 6, loggp, {.latency_s = 5 * us, .byte_s = 1e-10});
  const Workload load{.bytes = 1 << 20, .tile_bytes = 64 << 10};
  EXPECT_EQ(seconds(plan, model, load), seconds(plan, model, load));
}

TEST(Simulate, RecordsEachStepOfEachRank) {
  const Plan plan = plan_of(Algorithm::ring, 3);
  const Schedule schedule = make_schedule(plan).value();
  const Simulation simulation =
      simulate(schedule, uniform(3, loggp), {.bytes = 12}, {.record = true}).value();
  std::size_t steps = 0;
  for (const Program& program : schedule.programs) steps += program.steps.size();
  ASSERT_EQ(simulation.steps.size(), steps);
  for (const StepTime& step : simulation.steps) EXPECT_LE(step.begin_s, step.end_s);
  EXPECT_DOUBLE_EQ(simulation.steps.back().end_s, simulation.seconds);
  expect_golden("ring_allreduce_3.trace.json", to_chrome_trace(schedule, simulation.steps));
}

TEST(Simulate, SaysWhatMakesNoSense) {
  const auto refused = [](const Result<Simulation>& result, const std::string& text) {
    ASSERT_FALSE(result.ok());
    EXPECT_NE(result.error().text().find(text), std::string::npos) << result.error().text();
  };
  const Plan plan = plan_of(Algorithm::ring, 4);
  refused(simulate(plan, uniform(5, loggp), {}), "a plan for 4 ranks does not fit a machine of 5");
  refused(simulate(plan, CostModel{.ranks = 4}, {}), "a machine needs classes of links");
  refused(simulate(plan, uniform(4, loggp), {.bytes = 1, .element_bytes = 0}),
          "elements have a byte or more");
  refused(simulate(plan_of(Algorithm::ring, 4, Collective::broadcast), uniform(4, loggp), {}),
          "there is no ring broadcast");
  refused(simulate(plan_of(Algorithm::double_tree, 4), uniform(4, loggp), {},
                   {.folding = Folding::always}),
          "is not the same every 1 ranks");
  refused(simulate(plan_of(Algorithm::ring, 65'535), hosts(65'535, 8, loggp, loggp), {}),
          "up to 16777216 are simulated where ranks are not alike");
  refused(simulate(plan_of(Algorithm::ring, 65'536), hosts(65'536, 256, loggp, loggp), {}),
          "and the 256 ranks after which the machine repeats itself have 67107840; up to 16777216");

  Schedule endless = make_schedule(plan).value();
  endless.programs[2].steps.pop_back();
  --endless.programs[2].lane_end.back();
  refused(simulate(endless, uniform(4, loggp), {}), "does not come to its end: rank 1 waits");
}

TEST(CostModel, RefusesNonsense) {
  EXPECT_FALSE(make_cost_model({.ranks = 0}).ok());
  EXPECT_FALSE(make_cost_model({.ranks = 4, .ranks_per_host = 0}).ok());
  EXPECT_FALSE(make_cost_model({.ranks = 4, .inner = {.latency_s = -1}}).ok());
  EXPECT_FALSE(make_cost_model({.ranks = 4, .outer = {.byte_s = 1e300}}).ok());
}

}  // namespace
}  // namespace rondo::testing
