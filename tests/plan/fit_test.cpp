// Constants from times that are known to come from constants.

#include "plan/fit.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace rondo::testing {
namespace {

constexpr double us = 1e-6;

std::vector<MeasuredCall> some_calls() {
  const auto call = [](Algorithm algorithm, Collective collective, std::uint64_t bytes,
                       std::uint64_t tile) {
    return MeasuredCall{{algorithm, collective, 2, 0, 2}, {bytes, 4, tile}, 0};
  };
  MeasuredCall many = call(Algorithm::ring, Collective::allreduce, 128, 0);
  many.plan.channels = 8;
  return {call(Algorithm::knomial, Collective::broadcast, 8, 0),
          many,
          call(Algorithm::knomial, Collective::broadcast, 32 << 10, 0),
          call(Algorithm::knomial, Collective::broadcast, 64 << 10, 4 << 10),
          call(Algorithm::one_shot, Collective::allreduce, 64 << 10, 0),
          call(Algorithm::knomial, Collective::broadcast, 1 << 20, 0),
          call(Algorithm::one_shot, Collective::allreduce, 1 << 20, 64 << 10)};
}

Topology two_ranks() {
  return synthetic_topology("1 hosts x 1 l3s x 2 cores").value();
}

CostTable rank_costs() {
  CostTable table;
  table.start_s = 0.5 * us;
  table.reduce_byte_s = 1 / 12e9;
  table.copy_byte_s = 1 / 15e9;
  return table;
}

double time_of(const MeasuredCall& call, const LinkCost& link,
               const Topology& topology = two_ranks(), const CostTable& rank = rank_costs()) {
  CostTable table = rank;
  table.links.back() = link;
  const CostModel model = make_cost_model(topology, table).value();
  return simulate(call.plan, model, call.workload).value().seconds;
}

Topology on_one_core() {
  Topology topology = two_ranks();
  topology.ranks[0].pus = topology.ranks[1].pus = {0};
  return topology;
}

TEST(FitLink, FindsConstantsThatGiveTheTimes) {
  const std::vector<LinkCost> links = {
      {2 * us, 1 * us, 1 / 5e9, 1 / 14e9, 1 << 20},
      {0.2 * us, 0.1 * us, 1 / 40e9, 1 / 20e9, 0},
      {20 * us, 2 * us, 1 / 1.2e9, 1 / 10e9, 1 << 20},
      {100 * us, 5 * us, 1 / 0.1e9, 1 / 5e9, 1 << 20},
  };
  for (const LinkCost& link : links) {
    std::vector<MeasuredCall> calls = some_calls();
    for (MeasuredCall& call : calls) call.seconds = time_of(call, link);
    const Result<FittedCosts> fitted = fit_link(calls, two_ranks(), rank_costs());
    ASSERT_TRUE(fitted.ok()) << fitted.error().what();
    for (const MeasuredCall& call : calls) {
      EXPECT_EQ(fitted.value().switch_s, 0);
      EXPECT_NEAR(time_of(call, fitted.value().link) / call.seconds, 1, 0.2)
          << name(call.plan.collective) << " of " << call.workload.bytes << " bytes, latency "
          << link.latency_s;
    }
  }
}

TEST(FitLink, FindsTheSwitchOfASharedProcessor) {
  for (const double switch_s : {1 * us, 12 * us}) {
    CostTable rank = rank_costs();
    rank.switch_s = switch_s;
    const LinkCost link{0, switch_s / 3, 0, 1 / 14e9, 0};  // in the usual proportion
    std::vector<MeasuredCall> calls = some_calls();
    for (MeasuredCall& call : calls) call.seconds = time_of(call, link, on_one_core(), rank);
    const FittedCosts fitted = fit_link(calls, on_one_core(), rank_costs()).value();
    EXPECT_NEAR(fitted.switch_s / switch_s, 1, 0.15);
    EXPECT_NEAR(fitted.link.overhead_s / link.overhead_s, 1, 0.15);
    EXPECT_NEAR(fitted.link.overhead_byte_s / link.overhead_byte_s, 1, 0.15);
    EXPECT_EQ(fitted.link.latency_s, 0);
    EXPECT_EQ(fitted.link.byte_s, 0);
    // What is known stays.
    EXPECT_EQ(fit_link(calls, on_one_core(), rank).value().switch_s, switch_s);
  }
}

TEST(FitLink, TakesTheWireFromThePorts) {
  const Topology hosts = synthetic_topology("2 hosts x 1 cores").value();
  for (const double wire : {1 / 11.7e9, 1 / 119.6e6}) {
    CostTable rank = rank_costs();
    rank.ports = {{hosts.hosts[0].id, wire}, {hosts.hosts[1].id, wire}};
    const LinkCost link{12 * us, 2 * us, 0, 1 / 4e9, 1 << 20};
    std::vector<MeasuredCall> calls = some_calls();
    for (MeasuredCall& call : calls) call.seconds = time_of(call, link, hosts, rank);
    const LinkCost fitted = fit_link(calls, hosts, rank).value().link;
    EXPECT_EQ(fitted.byte_s, 0);
    EXPECT_NEAR(fitted.latency_s / link.latency_s, 1, 0.15) << wire;
    EXPECT_NEAR(fitted.overhead_s / link.overhead_s, 1, 0.15) << wire;
    EXPECT_NEAR(fitted.overhead_byte_s / link.overhead_byte_s, 1, 0.3) << wire;
  }
}

TEST(FitLink, StandsNoise) {
  const LinkCost link{2 * us, 1 * us, 1 / 5e9, 1 / 14e9, 1 << 20};
  std::vector<MeasuredCall> calls = some_calls();
  double factor = 1.15;
  for (MeasuredCall& call : calls) {
    call.seconds = time_of(call, link) * factor;
    factor = 1 / factor;
  }
  const LinkCost fitted = fit_link(calls, two_ranks(), rank_costs()).value().link;
  for (const MeasuredCall& call : calls) {
    EXPECT_NEAR(std::log(time_of(call, fitted) / call.seconds), 0, 0.4) << call.workload.bytes;
  }
}

TEST(FitLink, RefusesWhatTellsNothing) {
  std::vector<MeasuredCall> calls = some_calls();
  EXPECT_EQ(fit_link(calls, two_ranks(), rank_costs()).error().text(), "a call took 0 s");
  for (MeasuredCall& call : calls) call.seconds = 1 * us;
  calls.resize(2);
  EXPECT_EQ(fit_link(calls, two_ranks(), rank_costs()).error().text(),
            "the costs of a link are told by 3 calls or more, not 2");
}

TEST(FitLink, ThreeDigitsAreEnoughForPeople) {
  EXPECT_EQ(rounded_time(1.23456e-6), 1.23e-6);
  EXPECT_EQ(rounded_rate(1 / 5.0678e9), 1 / 5.07e9);
  EXPECT_EQ(rounded_rate(0), 0);
  EXPECT_EQ(rounded_time(0), 0);
}

}  // namespace
}  // namespace rondo::testing
