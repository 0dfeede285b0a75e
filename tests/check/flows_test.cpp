// Messages that share links, against what can be calculated by hand.

#include "check/flows.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

#include "base/text.hpp"

namespace rondo::testing {
namespace {

// One byte a nanosecond between hosts; nothing else costs anything.
constexpr LinkCost wire{.byte_s = 1e-9};

Topology machine(std::string_view words) {
  return synthetic_topology(words).value();
}

// `per_host` ranks of each host share as many NICs as the machine has.
CostModel model_of(const Topology& topology, LinkCost inner = {}, LinkCost outer = wire) {
  const int ranks = static_cast<int>(topology.ranks.size());
  const int hosts = static_cast<int>(topology.hosts.size());
  const int nics = static_cast<int>(topology.machines.front().nics.size());
  return make_cost_model({.ranks = ranks,
                          .ranks_per_host = ranks / hosts,
                          .ports_per_host = nics,
                          .inner = inner,
                          .outer = outer})
      .value();
}

FlowSimulation flows(const Plan& plan, const Topology& topology, const CostModel& model,
                     const Workload& workload, Folding folding = Folding::automatic,
                     Routing routing = Routing::minimal) {
  const Result<FlowSimulation> result =
      simulate_flows(plan, topology, model, workload, {.folding = folding}, routing);
  EXPECT_TRUE(result.ok()) << (result ? "" : result.error().what());
  return result ? result.value() : FlowSimulation{};
}

double seconds(const Plan& plan, const std::string& words, const Workload& workload,
               Routing routing = Routing::minimal) {
  const Topology topology = machine(words);
  Plan sized = plan;
  sized.ranks = static_cast<int>(topology.ranks.size());
  const CostModel model = model_of(topology);
  const double folded =
      flows(sized, topology, model, workload, Folding::automatic, routing).simulation.seconds;
  const double whole =
      flows(sized, topology, model, workload, Folding::never, routing).simulation.seconds;
  EXPECT_NEAR(folded, whole, whole * 1e-6) << words;
  return whole;
}

const Plan ring{Algorithm::ring, Collective::allreduce, 0, 0, 2};
const Plan all_pairs{Algorithm::one_shot, Collective::allgather, 0, 0, 2};

TEST(Flows, AShortMessageLeavesItsShareToALongOne) {
  const Topology topology = machine("3 hosts, 1 ranks, 1 nics");
  const CostModel model = model_of(topology);
  LinkMap links(topology, model, Routing::minimal);
  Flows flows(links);
  flows.begin(3);
  const PathId short_path = flows.path(0, 1);
  const PathId long_path = flows.path(0, 2);
  flows.start(short_path, 100, 7, 0);
  flows.start(long_path, 300, 8, 0);
  flows.settle(0);
  std::uint32_t tag = 0;
  EXPECT_EQ(flows.next_end(), 200'000);  // both at half a byte a nanosecond
  ASSERT_TRUE(flows.take_ended(200'000, tag));
  EXPECT_EQ(tag, 7u);
  EXPECT_FALSE(flows.take_ended(200'000, tag));
  flows.settle(200'000);
  EXPECT_EQ(flows.next_end(), 400'000);
  ASSERT_TRUE(flows.take_ended(400'000, tag));
  EXPECT_EQ(tag, 8u);
  flows.settle(400'000);
  EXPECT_EQ(flows.next_end(), Flows::never);
  flows.start(long_path, 0, 9, 500'000);
  EXPECT_TRUE(flows.take_ended(500'000, tag)) << "no bytes, no time";
}

// What is on its way, as the certificate wants it.
std::string verdict(const Flows& flows, LinkMap& links, const std::set<PathId>& active,
                    const std::map<PathId, std::pair<int, int>>& ends, double distortion) {
  std::vector<std::vector<LinkId>> paths;
  for (const PathId id : active) paths.push_back(links.path(ends.at(id).first, ends.at(id).second));
  std::vector<FlowGroup> groups;
  std::vector<double> rates;
  for (const PathId id : active) {
    groups.push_back({paths[groups.size()], static_cast<std::uint32_t>(flows.messages(id))});
    rates.push_back(flows.rate(id) * (groups.size() == 1 ? distortion : 1));
  }
  const Result<> checked = check_max_min(links.capacity(), groups, rates);
  return checked ? "" : checked.error().text();
}

// Everybody sends to anybody at any time; after each change all rates are fair.
void check_random_traffic(const char* words, unsigned seed) {
  std::mt19937 random(seed);
  const Topology topology = machine(words);
  const CostModel model = model_of(topology, {.byte_s = 2e-10});
  LinkMap links(topology, model, Routing::minimal);
  Flows flows(links);
  flows.begin(model.ranks);
  std::set<PathId> active;
  std::map<PathId, std::pair<int, int>> ends;
  Flows::Time now = 0;
  for (int change = 0; change < 1500; ++change) {
    if (active.empty() || random() % 5 < 3) {
      const int from = static_cast<int>(random() % topology.ranks.size());
      const int to = static_cast<int>(random() % topology.ranks.size());
      if (from == to) continue;
      const PathId path = flows.path(from, to);
      flows.start(path, 1 + random() % 100'000, path, now);
      active.insert(path);
      ends[path] = {from, to};
    } else {
      now = flows.next_end();
      std::uint32_t ended = 0;
      while (flows.take_ended(now, ended)) {
        if (flows.messages(ended) == 0) active.erase(ended);
      }
    }
    flows.settle(now);
    ASSERT_EQ(verdict(flows, links, active, ends, 1), "") << words << ", change " << change;
    if (!active.empty()) {
      ASSERT_NE(verdict(flows, links, active, ends, 0.9), "");
      ASSERT_NE(verdict(flows, links, active, ends, 1.1), "");
    }
  }
}

TEST(Flows, RatesAreFairAfterEachChange) {
  check_random_traffic("6 hosts, 3 ranks, 2 nics", 1);
  check_random_traffic("12 hosts, 3 ranks, 2 nics, fat tree of 3 hosts tapered 3:1", 2);
  check_random_traffic("12 hosts, 2 ranks, 2 nics, fat tree of 2 racks of 2 hosts tapered 2:1", 3);
  check_random_traffic("12 hosts, 4 ranks, 2 nics, rail-optimised fat tree of 3 hosts", 4);
  check_random_traffic("12 hosts, 2 ranks, 1 nics, dragonfly of 2 switches of 2 hosts", 5);
}

TEST(Flows, UncontendedNetworksTakeWhatPortsTake) {
  const LinkCost inner{
      .latency_s = 1e-6, .overhead_s = 3e-7, .byte_s = 1e-11, .window_bytes = 1 << 20};
  const LinkCost outer{.latency_s = 9e-6,
                       .overhead_s = 1e-6,
                       .byte_s = 1e-10,
                       .overhead_byte_s = 2e-11,
                       .window_bytes = 1 << 20};
  // Rings meet nobody; all pairs do not as long as all are equally far: else messages of several
  // ranks come to one at a time, and sharing is not the same as taking turns.
  for (const int ranks : {2, 3, 5, 8, 32}) {
    for (const int per_host : {1, 4}) {
      if (ranks % per_host != 0) continue;
      const Topology topology =
          machine(concat(ranks / per_host, " hosts, ", per_host, " ranks, ", per_host, " nics"));
      const CostModel model = model_of(topology, inner, outer);
      for (const Algorithm algorithm :
           {Algorithm::ring, Algorithm::one_shot, Algorithm::two_shot}) {
        if (algorithm != Algorithm::ring && per_host > 1) continue;
        for (const std::uint64_t bytes : {4u, 4096u, 1u << 20, 48u << 20}) {
          const Plan plan{algorithm, Collective::allreduce, ranks, 0, 2};
          const Workload load{.bytes = bytes, .tile_bytes = 256 << 10};
          const double level_0 = simulate(plan, model, load).value().seconds;
          const double level_1 = flows(plan, topology, model, load).simulation.seconds;
          EXPECT_NEAR(level_1 / level_0, 1, 0.01)
              << name(algorithm) << " of " << ranks << ", " << bytes << " bytes";
        }
      }
    }
  }
}

TEST(Flows, ARingThatCrossesANarrowUplinkGoesAtItsPace) {
  // 2(p-1) rounds of a segment; the uplink of a rack of two hosts carries 2 · 25 % of a NIC.
  const Workload load{.bytes = 8000};
  EXPECT_NEAR(seconds(ring, "8 hosts, 1 ranks, 1 nics, fat tree of 2 hosts", load), 14e-6, 1e-12);
  EXPECT_NEAR(seconds(ring, "8 hosts, 1 ranks, 1 nics, fat tree of 2 hosts tapered 2:1", load),
              14e-6, 1e-12)
      << "half of two NICs is enough for one message";
  EXPECT_NEAR(seconds(ring, "8 hosts, 1 ranks, 1 nics, fat tree of 2 hosts tapered 4:1", load),
              28e-6, 1e-12);
}

TEST(Flows, AllPairsThroughATaperTakeAsManyTimesAsLong) {
  const Workload load{.bytes = 4000};
  // Every message leaves its rack: twice the time. Of racks of two hosts, all messages of the
  // second of three rounds do, and half of those of the others, for which there is room.
  EXPECT_NEAR(seconds(all_pairs, "4 hosts, 1 ranks, 1 nics, fat tree of 1 hosts", load), 3e-6,
              1e-12);
  EXPECT_NEAR(seconds(all_pairs, "4 hosts, 1 ranks, 1 nics, fat tree of 1 hosts tapered 2:1", load),
              6e-6, 1e-12);
  EXPECT_NEAR(seconds(all_pairs, "4 hosts, 1 ranks, 1 nics, fat tree of 2 hosts tapered 2:1", load),
              4e-6, 1e-12);
}

TEST(Flows, DragonflyGroupsHaveOneLinkToEachOther) {
  // Four groups of two hosts: what two NICs send is cut into three links. The ring needs one of
  // them, all the other links of the group being idle; spread out, it has room.
  const std::string words = "8 hosts, 1 ranks, 1 nics, dragonfly of 2 switches of 1 hosts";
  const Workload load{.bytes = 8000};
  EXPECT_NEAR(seconds(ring, words, load), 14e-6 * 1.5, 1e-11);
  EXPECT_NEAR(seconds(ring, words, load, Routing::spread), 14e-6, 1e-12);
}

std::vector<std::string> names_of_path(LinkMap& links, int from, int to) {
  std::vector<std::string> names;
  for (const LinkId link : links.path(from, to)) {
    names.push_back(links.kind(link) + " of " + links.name(link));
  }
  return names;
}

TEST(LinkMap, PathsAreAsOnPaper) {
  using Names = std::vector<std::string>;
  const Topology tree =
      machine("8 hosts, 2 ranks, 2 nics, fat tree of 2 racks of 2 hosts tapered 2:1");
  const CostModel model = model_of(tree, {.byte_s = 1e-11});
  LinkMap links(tree, model, Routing::minimal);
  EXPECT_EQ(names_of_path(links, 0, 1), (Names{"port out of port 0", "port in of port 1"}));
  EXPECT_EQ(names_of_path(links, 0, 2),
            (Names{"NIC out of NIC 0 of host 0", "NIC in of NIC 0 of host 1"}));
  EXPECT_EQ(names_of_path(links, 0, 5),
            (Names{"NIC out of NIC 0 of host 0", "rack uplink of rack 0", "rack downlink of rack 1",
                   "NIC in of NIC 1 of host 2"}));
  EXPECT_EQ(
      names_of_path(links, 0, 15),
      (Names{"NIC out of NIC 0 of host 0", "rack uplink of rack 0", "pod uplink of pod 0",
             "pod downlink of pod 1", "rack downlink of rack 3", "NIC in of NIC 1 of host 7"}));
  EXPECT_DOUBLE_EQ(links.capacity()[links.path(0, 5)[1]], 2e9) << "half of four NICs";
  EXPECT_DOUBLE_EQ(links.capacity()[links.path(0, 15)[2]], 8e9);
}

TEST(LinkMap, RailsMeetAboveTheirSwitches) {
  using Names = std::vector<std::string>;
  const Topology rails =
      machine("4 hosts, 4 ranks, 2 nics, rail-optimised fat tree of 2 hosts tapered 2:1");
  const CostModel model = model_of(rails);
  LinkMap links(rails, model, Routing::minimal);
  // Ranks 0 and 1 of a host use NIC 0, ranks 2 and 3 NIC 1.
  EXPECT_EQ(names_of_path(links, 0, 5),
            (Names{"NIC out of NIC 0 of host 0", "NIC in of NIC 0 of host 1"}));
  EXPECT_EQ(names_of_path(links, 0, 6),
            (Names{"NIC out of NIC 0 of host 0", "rack uplink of rail 0 of rack 0",
                   "rack downlink of rail 1 of rack 0", "NIC in of NIC 1 of host 1"}));
  EXPECT_EQ(names_of_path(links, 2, 10),
            (Names{"NIC out of NIC 1 of host 0", "rack uplink of rail 1 of rack 0",
                   "rack downlink of rail 1 of rack 1", "NIC in of NIC 1 of host 2"}));
  EXPECT_DOUBLE_EQ(links.capacity()[links.path(0, 6)[1]], 1e9) << "half of a NIC of each host";
}

TEST(LinkMap, PeriodsAreGroupsOfTheWidestLevel) {
  const auto period = [](const char* words) {
    const Topology topology = machine(words);
    return network_period(topology, model_of(topology));
  };
  EXPECT_EQ(period("4 hosts, 2 ranks, 1 nics"), 2);
  EXPECT_EQ(period("8 hosts, 2 ranks, 1 nics, fat tree of 2 hosts"), 4);
  EXPECT_EQ(period("8 hosts, 2 ranks, 1 nics, fat tree of 2 racks of 2 hosts"), 8);
  EXPECT_EQ(period("8 hosts, 2 ranks, 1 nics, dragonfly of 2 switches of 1 hosts"), 4);
  EXPECT_EQ(period("7 hosts, 2 ranks, 1 nics, fat tree of 2 hosts"), 0);
  Topology shuffled = machine("4 hosts, 1 ranks, 1 nics");
  std::swap(shuffled.ranks[1].host, shuffled.ranks[2].host);
  EXPECT_EQ(network_period(shuffled, model_of(shuffled)), 0);
}

TEST(Flows, OneGroupStandsForAllThatAreAlike) {
  for (const char* words :
       {"16 hosts, 2 ranks, 1 nics, fat tree of 4 hosts tapered 3:1",
        "16 hosts, 2 ranks, 2 nics, rail-optimised fat tree of 4 hosts tapered 2:1",
        "16 hosts, 2 ranks, 2 nics, dragonfly of 2 switches of 2 hosts tapered 2:1",
        "16 hosts, 2 ranks, 1 nics, fat tree of 2 racks of 2 hosts tapered 2:1"}) {
    const Topology topology = machine(words);
    const CostModel model = model_of(topology, {.latency_s = 1e-6, .byte_s = 1e-11});
    for (const Plan& plan : {ring, all_pairs}) {
      Plan sized = plan;
      sized.ranks = 32;
      const Workload load{.bytes = 3'200'000, .tile_bytes = 20'000};
      const FlowSimulation folded = flows(sized, topology, model, load);
      const FlowSimulation whole = flows(sized, topology, model, load, Folding::never);
      EXPECT_LT(folded.simulation.simulated_ranks, 32) << words;
      EXPECT_NEAR(folded.simulation.seconds / whole.simulation.seconds, 1, 1e-6) << words;
      ASSERT_EQ(folded.links.size(), whole.links.size());
      for (std::size_t i = 0; i < whole.links.size(); ++i) {
        EXPECT_EQ(folded.links[i].links, whole.links[i].links) << whole.links[i].kind;
        EXPECT_NEAR(folded.links[i].share, whole.links[i].share, 1e-6) << whole.links[i].kind;
        EXPECT_NEAR(folded.links[i].mean_share, whole.links[i].mean_share, 1e-6);
      }
    }
  }
}

TEST(Flows, NoLinkCarriesMoreThanItCan) {
  const Topology topology = machine("12 hosts, 3 ranks, 2 nics, fat tree of 3 hosts tapered 2:1");
  const CostModel model = model_of(topology, {.latency_s = 1e-6, .byte_s = 1e-11},
                                   {.latency_s = 5e-6, .byte_s = 1e-9, .window_bytes = 1 << 20});
  for (int a = 0; a < algorithm_count; ++a) {
    const auto algorithm = static_cast<Algorithm>(a);
    if (!is_supported(algorithm, Collective::allreduce)) continue;
    const Plan plan{algorithm, Collective::allreduce, 36, 0, 2};
    const FlowSimulation found = flows(plan, topology, model, {.bytes = 1 << 20});
    ASSERT_FALSE(found.links.empty());
    for (const LinkUse& use : found.links) {
      EXPECT_LE(use.share, 1 + 1e-6) << name(algorithm) << " " << use.kind;
      EXPECT_LE(use.mean_share, use.share + 1e-9);
    }
    const double level_0 = simulate(plan, model, {.bytes = 1 << 20}).value().seconds;
    EXPECT_GT(found.simulation.seconds, 0.5 * level_0) << name(algorithm);
  }
}

TEST(Flows, RoundsThatRepeatAreSolvedOnce) {
  const Topology topology = machine("64 hosts, 1 ranks, 1 nics, fat tree of 8 hosts tapered 16:1");
  Plan plan = ring;
  plan.ranks = 64;
  const FlowSimulation found = flows(plan, topology, model_of(topology), {.bytes = 1 << 20});
  EXPECT_LT(found.solved, 100u);
  EXPECT_GT(found.remembered, 500u);
  EXPECT_EQ(found.links.front().kind, "rack downlink");
  EXPECT_NEAR(found.links.front().share, 1, 1e-6);
}

TEST(NominalCosts, AreWhatTheTopologySays) {
  const auto byte_s = [](const char* words, PathClass path) {
    const CostTable costs = nominal_costs(machine(words)).value();
    const auto& link = costs.links[static_cast<std::size_t>(path)];
    return link ? link->byte_s : 0;
  };
  EXPECT_DOUBLE_EQ(byte_s("2 x dgx-h100", PathClass::network), 1 / 50e9);
  EXPECT_DOUBLE_EQ(byte_s("2 x dgx-h100", PathClass::nvlink), 1 / 450e9);
  EXPECT_DOUBLE_EQ(byte_s("2 hosts, 8 gpus, 1 nics", PathClass::sys), 1 / 15.754e9);
  EXPECT_EQ(byte_s("2 hosts, 8 gpus, 1 nics", PathClass::nvlink), 0);
  EXPECT_DOUBLE_EQ(byte_s("2 hosts, 1 nics of 25 gbit/s", PathClass::rack), 1 / 3.125e9);
  EXPECT_EQ(byte_s("1 hosts x 2 cores", PathClass::network), 0);
  EXPECT_NE(nominal_costs(machine("2 hosts x 2 cores")).error().text().find("how fast the network"),
            std::string::npos);
}

TEST(Flows, WorldsMadeOfTheirTopologyFoldToo) {
  const Topology topology = machine("16 x dgx-h100, fat tree of 4 hosts tapered 2:1");
  const CostModel model = make_cost_model(topology, nominal_costs(topology).value()).value();
  Plan plan = ring;
  plan.ranks = 128;
  const FlowSimulation folded = flows(plan, topology, model, {.bytes = 1 << 20});
  EXPECT_EQ(folded.simulation.simulated_ranks, 32);
  const FlowSimulation whole = flows(plan, topology, model, {.bytes = 1 << 20}, Folding::never);
  EXPECT_NEAR(folded.simulation.seconds / whole.simulation.seconds, 1, 1e-3);
}

TEST(Flows, SaysWhatDoesNotFit) {
  const auto refused = [](const Result<FlowSimulation>& result, const std::string& text) {
    ASSERT_FALSE(result.ok());
    EXPECT_NE(result.error().text().find(text), std::string::npos) << result.error().text();
  };
  Topology topology = machine("4 hosts, 1 ranks, 1 nics, fat tree of 2 hosts");
  const CostModel model = model_of(topology);
  Plan plan = ring;
  plan.ranks = 5;
  refused(simulate_flows(plan, topology, model, {}), "a plan for 5 ranks does not fit");
  plan.ranks = 4;
  refused(simulate_flows(plan, machine("5 hosts, 1 ranks"), model, {}),
          "a model of 4 ranks does not fit a topology of 5");
  refused(simulate_flows(plan, topology, CostModel{.ranks = 4}, {}), "needs classes of links");
  topology.hosts[2].groups.clear();
  refused(simulate_flows(plan, topology, model, {}), "a host is in 0 groups");
}

}  // namespace
}  // namespace rondo::testing
