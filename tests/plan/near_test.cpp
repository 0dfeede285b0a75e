// How schedules lie on a machine: trees cross the expensive links as seldom as they can, and what
// leaves a host does so through all of its NICs.

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>
#include <set>

#include "base/text.hpp"
#include "plan/arrange.hpp"
#include "plan/planner.hpp"

namespace rondo {
namespace {

constexpr std::uint64_t mib = 1 << 20;

Topology world(std::string_view words) {
  const Result<Topology> topology = synthetic_topology(words);
  EXPECT_TRUE(topology.ok()) << words;
  return topology.value();
}

Topology shuffled(Topology topology, unsigned seed) {
  std::mt19937 random(seed);
  for (std::size_t i = topology.ranks.size(); i > 1; --i) {
    std::swap(topology.ranks[i - 1], topology.ranks[random() % i]);
  }
  return topology;
}

// Pairs of ranks of which one sends to the other and `differ` says that something lies between.
template <class Differ>
int links_across(const Plan& plan, Differ differ) {
  std::set<std::pair<int, int>> links;
  const Result<Schedule> schedule = make_schedule(plan);
  EXPECT_TRUE(schedule.ok()) << (schedule ? "" : schedule.error().text());
  for (const Program& program : schedule.value().programs) {
    for (const Step& step : program.steps) {
      if (step.op == StepOp::send && differ(program.rank, step.peer)) {
        links.insert(std::minmax(program.rank, static_cast<int>(step.peer)));
      }
    }
  }
  return static_cast<int>(links.size());
}

int links_between_hosts(const Plan& plan, const Topology& topology) {
  return links_across(plan, [&](int a, int b) {
    return topology.ranks[static_cast<std::size_t>(a)].host !=
           topology.ranks[static_cast<std::size_t>(b)].host;
  });
}

int links_between_packages(const Plan& plan, const Topology& topology) {
  return links_across(plan, [&](int a, int b) {
    const PathClass path = path_class(topology, a, b);
    return path == PathClass::sys || path == PathClass::rack || path == PathClass::network;
  });
}

Plan near_plan(const Topology& topology, Algorithm algorithm, Collective collective, int root = 0,
               int radix = 2) {
  Plan plan{algorithm, collective, static_cast<int>(topology.ranks.size()), root, radix};
  plan.arrangement = arrangement_for(topology).value();
  return plan;
}

TEST(Near, OneTreeCrossesBetweenHostsAndPackagesOnceEach) {
  const Topology topology = shuffled(world("4 hosts x 2 packages x 4 cores"), 3);
  const auto arrangement = arrangement_for(topology).value();
  for (const int position : {0, 4, 13, 20, 31}) {
    const int root = arrangement->rank_at(position);
    for (const Collective collective : {Collective::broadcast, Collective::reduce}) {
      for (const Algorithm algorithm : {Algorithm::knomial, Algorithm::chain}) {
        Plan plan = near_plan(topology, algorithm, collective, root);
        EXPECT_EQ(links_between_hosts(plan, topology), 4 - 1) << name(algorithm) << root;
        // A root in the midst of its package has the others of it at both ends of its host.
        if (position % 4 == 0) {
          EXPECT_EQ(links_between_packages(plan, topology), 8 - 1) << name(algorithm) << root;
        }
        plan.arrangement = nullptr;
        EXPECT_GT(links_between_hosts(plan, topology), 8) << name(algorithm) << root;
      }
    }
  }
  const Plan both = near_plan(topology, Algorithm::knomial, Collective::allreduce);
  EXPECT_EQ(links_between_hosts(both, topology), 4 - 1);
  const Plan wide = near_plan(topology, Algorithm::knomial, Collective::allreduce, 0, 8);
  EXPECT_EQ(links_between_hosts(wide, topology), 4 - 1);
}

TEST(Near, AChainEntersHostsOfAnySizeOnce) {
  Topology topology = world("3 hosts x 8 cores");
  std::vector<Rank> ranks;
  const std::vector<int> sizes = {3, 5, 8};
  for (std::size_t i = 0; i < topology.ranks.size(); ++i) {
    const Rank& rank = topology.ranks[i];
    if (static_cast<int>(i % 8) < sizes[static_cast<std::size_t>(rank.host)]) ranks.push_back(rank);
  }
  topology.ranks = ranks;
  topology = shuffled(canonical(topology), 5);
  for (int root = 0; root < 16; ++root) {
    const Plan chain = near_plan(topology, Algorithm::chain, Collective::broadcast, root);
    EXPECT_EQ(links_between_hosts(chain, topology), 3 - 1) << root;
    const Plan pair = near_plan(topology, Algorithm::chain_tree, Collective::broadcast, root);
    EXPECT_LE(links_between_hosts(pair, topology), 2 * (3 - 1)) << root;
  }
}

TEST(Near, DoublingLeavesHostsInTheLastRoundsOnly) {
  const Topology topology = shuffled(world("4 hosts x 8 cores"), 7);
  for (const Algorithm algorithm : {Algorithm::recursive_doubling, Algorithm::halving_doubling}) {
    Plan plan = near_plan(topology, algorithm, Collective::allreduce);
    EXPECT_EQ(links_between_hosts(plan, topology), 32 * 2 / 2);  // two of five partners each
    plan.arrangement = nullptr;
    EXPECT_GT(links_between_hosts(plan, topology), 32 * 3 / 2);
  }
}

TEST(Near, BothTreesOfAPairCrossSeldom) {
  const Topology topology = shuffled(world("8 hosts x 8 cores"), 11);
  Plan plan = near_plan(topology, Algorithm::double_tree, Collective::allreduce);
  EXPECT_LE(links_between_hosts(plan, topology), 2 * 3 * (8 - 1) / 2 + 2);
  plan.arrangement = nullptr;
  EXPECT_GT(links_between_hosts(plan, topology), 80);
}

TEST(Near, IsProposedWhereItDiffersAndPredictedToBeFaster) {
  const Topology topology = shuffled(world("4 hosts x 8 cores, 1 nic of 10 gbit/s"), 1);
  const CostTable costs = nominal_costs(topology).value();
  Planner planner = std::move(Planner::make(topology, costs)).value();
  for (const auto& [algorithm, collective] :
       {std::pair(Algorithm::knomial, Collective::broadcast),
        std::pair(Algorithm::chain, Collective::reduce),
        std::pair(Algorithm::scatter_allgather, Collective::broadcast),
        std::pair(Algorithm::halving_doubling, Collective::allreduce),
        std::pair(Algorithm::double_tree, Collective::allreduce)}) {
    const auto best = [&](std::optional<Order> order) {
      const Pins pins{.algorithm = algorithm, .order = order};
      return planner.predict(collective, mib, pins).value().front();
    };
    const Prediction free = best(std::nullopt);
    EXPECT_EQ(order_of(free.candidate.plan), Order::near) << name(algorithm);
    EXPECT_LT(free.picoseconds, best(Order::ranks).picoseconds) << name(algorithm);
  }
  Planner plain = std::move(Planner::make(world("1 host x 8 cores"), costs)).value();
  for (const Candidate& one : candidates(plain.site(), Collective::broadcast, mib)) {
    EXPECT_EQ(order_of(one.plan), Order::ranks) << describe(one);
  }
}

// The ports through which what crosses between hosts leaves them.
std::set<int> ports_out(const Plan& plan, const CostModel& model) {
  std::set<int> ports;
  const Schedule schedule = make_schedule(plan).value();
  for (const Program& program : schedule.programs) {
    for (const Step& step : program.steps) {
      const int link_class = step.op == StepOp::send ? model.class_of(program.rank, step.peer) : 0;
      if (link_class >= static_cast<int>(PathClass::rack)) {
        ports.insert(model.port_of(program.rank, link_class));
      }
    }
  }
  return ports;
}

TEST(Nics, RingsAndStripesUseAllOfThem) {
  for (const char* words : {"4 hosts x 8 cores, 4 nics of 10 gbit/s",
                            "4 hosts x 2 packages x 4 cores, 3 nics of 10 gbit/s",
                            "2 hosts x 7 cores, 5 nics of 10 gbit/s"}) {
    for (const unsigned seed : {1u, 2u}) {
      const Topology topology = shuffled(world(words), seed);
      const CostModel model = make_cost_model(topology, nominal_costs(topology).value()).value();
      const Site site = make_site(topology, model).value();
      const std::size_t nics = topology.machines.front().nics.size();
      EXPECT_EQ(site.nics, static_cast<int>(nics));
      for (const Algorithm algorithm : {Algorithm::ring, Algorithm::two_level}) {
        Plan plan = near_plan(topology, algorithm, Collective::allreduce);
        plan.channels = site.nics;
        EXPECT_EQ(ports_out(plan, model).size(), nics * topology.hosts.size())
            << words << ", " << name(algorithm);
      }
    }
  }
}

TEST(Nics, ManyBytesGoThroughAllOfThemAtOnce) {
  const Topology topology = shuffled(world("4 hosts x 8 cores, 4 nics of 10 gbit/s"), 2);
  const CostTable costs = nominal_costs(topology).value();
  Planner planner = std::move(Planner::make(topology, costs)).value();
  const std::uint64_t bytes = 64 * mib;
  const Choice& choice = *planner.choose(Collective::allreduce, bytes).value();
  EXPECT_EQ(choice.plan.channels, 4) << describe(choice.candidate());
  for (const Algorithm algorithm : {Algorithm::ring, Algorithm::two_level}) {
    const auto best = [&](int channels) {
      const Pins pins{.algorithm = algorithm, .channels = channels};
      return planner.predict(Collective::allreduce, bytes, pins).value().front();
    };
    EXPECT_GT(best(1).seconds() / best(4).seconds(), 3.2) << name(algorithm);
    // Where messages share the links, too.
    const auto shared = [&](const Prediction& one) {
      return simulate_flows(one.candidate.plan, topology, planner.model(),
                            {.bytes = bytes, .tile_bytes = one.candidate.tile_bytes},
                            {.most_tiles = 8})
          .value()
          .simulation.seconds;
    };
    EXPECT_GT(shared(best(1)) / shared(best(4)), 2.5) << name(algorithm);
  }
  // A few bytes are not worth the messages.
  EXPECT_EQ(planner.choose(Collective::allreduce, 1024).value()->plan.channels, 1);
}

TEST(Nics, AreUsedByManyRanksToo) {
  const Topology topology = world("16 hosts x 8 cores, 4 nics of 10 gbit/s");
  Planner planner = std::move(Planner::make(topology, nominal_costs(topology).value())).value();
  EXPECT_FALSE(is_simulated(planner.ranks()));
  EXPECT_EQ(planner.choose(Collective::allreduce, 256 * mib).value()->plan.channels, 4);
}

// In closed form as simulated, where ranks share the ways out of their hosts or not.
TEST(Estimate, ComesNearToTheSimulationOfManyRanks) {
  for (const char* words :
       {"16 hosts x 8 cores, 1 nic of 10 gbit/s", "16 hosts x 8 cores, 4 nics of 10 gbit/s",
        "128 hosts x 1 cores, 1 nic"}) {
    const Topology topology = world(words);
    const CostModel model = make_cost_model(topology, nominal_costs(topology).value()).value();
    const Site site = make_site(topology, model).value();
    Estimates estimates(site, model);
    for (const std::uint64_t bytes : {std::uint64_t{1024}, mib, 256 * mib}) {
      const auto all = candidates(site, Collective::allreduce, bytes);
      const auto estimated = estimates.of(all, bytes, HUGE_VAL);
      for (const Prediction& one : estimated.value()) {
        const std::size_t tile = one.candidate.tile_bytes;
        if (tile != 0 && tile != 256 << 10) continue;  // the others are like these
        const Workload load{
            .bytes = bytes, .element_bytes = 1, .tile_bytes = one.candidate.tile_bytes};
        const double simulated =
            simulate(one.candidate.plan, model, load, {.most_tiles = 8}).value().seconds;
        EXPECT_LT(one.seconds() / simulated, 4) << words << bytes << describe(one.candidate);
        EXPECT_GT(one.seconds() / simulated, 0.25) << words << bytes << describe(one.candidate);
      }
    }
  }
}

TEST(Ports, SlowHostsStandBesideEachOtherInAWeightedRing) {
  const Topology topology = world("8 hosts x 1 cores, 1 nic of 10 gbit/s");
  CostTable costs = nominal_costs(topology).value();
  for (const std::size_t slow : {1u, 3u, 5u}) {
    costs.ports.push_back({topology.hosts[slow].id, 16e-10});  // half the rate
  }
  const CostModel model = make_cost_model(topology, costs).value();
  const Site site = make_site(topology, model).value();
  ASSERT_NE(site.weighted, nullptr);
  const auto order = site.weighted->order();
  EXPECT_EQ(std::vector<int>(order.begin(), order.end()),
            (std::vector<int>{0, 2, 4, 6, 7, 1, 3, 5}));
  const auto near = site.near->order();
  EXPECT_TRUE(std::is_sorted(near.begin(), near.end()));
  // In that order weights spare the slow links more than in the other one.
  const auto time = [&](std::span<const int> ring) {
    std::vector<double> rates;
    for (std::size_t i = 0; i < ring.size(); ++i) {
      const auto is_slow = [](int host) { return host == 1 || host == 3 || host == 5; };
      rates.push_back(is_slow(ring[i]) || is_slow(ring[(i + 1) % ring.size()]) ? 0.5 : 1);
    }
    return ring_time(rates, ring_weights(rates));
  };
  EXPECT_LT(time(order), 0.95 * time(near));
}

}  // namespace
}  // namespace rondo
