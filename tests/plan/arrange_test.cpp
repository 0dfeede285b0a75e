// Orders of ranks, on machines that exist and on worlds that are made up.

#include "plan/arrange.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <numeric>
#include <random>
#include <set>

#include "golden.hpp"
#include "plan/draw_routes.hpp"

namespace rondo::testing {
namespace {

std::vector<int> order_of(const Topology& topology) {
  const auto arrangement = arrangement_for(topology).value();
  return {arrangement->order().begin(), arrangement->order().end()};
}

std::vector<int> shuffled(int count, unsigned seed) {
  std::vector<int> numbers(static_cast<std::size_t>(count));
  std::iota(numbers.begin(), numbers.end(), 0);
  std::mt19937 random(seed);
  for (std::size_t i = numbers.size(); i > 1; --i) std::swap(numbers[i - 1], numbers[random() % i]);
  return numbers;
}

// Ranks do not come in the order of their places.
Topology with_shuffled_ranks(Topology topology, unsigned seed) {
  std::vector<Rank> ranks;
  for (const int from : shuffled(static_cast<int>(topology.ranks.size()), seed)) {
    ranks.push_back(topology.ranks[static_cast<std::size_t>(from)]);
  }
  topology.ranks = std::move(ranks);
  return topology;
}

// Whether each part of the network, of a host, package, NUMA node and cache is entered just once.
void expect_fewest(const Topology& topology, const std::string& what) {
  for (const unsigned seed : {0u, 1u, 2u}) {
    const Topology world = seed == 0 ? topology : with_shuffled_ranks(topology, seed);
    EXPECT_EQ(crossings(order_of(world), world), fewest_crossings(world)) << what;
  }
}

TEST(Arrange, MadeUpWorldsAreCrossedTheFewestTimes) {
  for (const std::string words : {
           "1 host x 2 packages x 8 cores",
           "3 hosts x 2 packages x 2 numas x 2 l3s x 3 cores",
           "16 x dgx-h100, fat tree of 4 hosts tapered 2:1",
           "12 hosts x 2 packages x 2 cores, fat tree of 3 hosts",
           "24 hosts x 4 cores, dragonfly of 3 switches of 4 hosts",
           "4 x dgx-a100",
           "3 x dgx-2",
       }) {
    const Result<Topology> topology = synthetic_topology(words);
    ASSERT_TRUE(topology.ok()) << words << topology.error().what();
    expect_fewest(topology.value(), words);
  }
}

TEST(Arrange, RankOrderOfScatteredRanksCrossesMore) {
  const Topology topology =
      with_shuffled_ranks(synthetic_topology("4 hosts x 2 packages x 4 cores").value(), 1);
  std::vector<int> order(topology.ranks.size());
  std::iota(order.begin(), order.end(), 0);
  const Crossings crossed = crossings(order, topology);
  const Crossings fewest = fewest_crossings(topology);
  EXPECT_EQ(fewest.hosts, 4);
  EXPECT_EQ(fewest.packages, 8);
  EXPECT_GT(crossed.hosts, 12);
  EXPECT_GT(crossed.packages, 16);
}

TEST(Arrange, HostsAreGroupsInTheOrderOfTheirLowestRanks) {
  Topology topology = synthetic_topology("2 hosts x 3 cores").value();
  topology.ranks[0].host = topology.ranks[1].host = 1;
  topology.ranks[2].host = topology.ranks[3].host = 0;
  topology.ranks[4].host = topology.ranks[5].host = 1;
  const auto arrangement = arrangement_for(topology).value();
  EXPECT_EQ(arrangement->groups(), 2);
  EXPECT_EQ(arrangement->size_of(0), 4);
  EXPECT_EQ(arrangement->size_of(1), 2);
  EXPECT_EQ(arrangement->group_of(arrangement->position_of(0)), 0);
}

TEST(Arrange, AWorldWithoutRanksIsRefused) {
  EXPECT_EQ(arrangement_for(Topology{}).error().code(), ErrorCode::invalid_argument);
}

TEST(Arrange, RingsOfACubeMeshUseItsFastLinks) {
  const Topology topology = synthetic_topology("2 x dgx-1").value();
  const std::vector<int> order = order_of(topology);
  for (int i = 0; i < 16; ++i) {
    if (i % 8 == 7) continue;  // the way to the other host
    EXPECT_EQ(path_class(topology, order[static_cast<std::size_t>(i)],
                         order[static_cast<std::size_t>(i + 1)]),
              PathClass::nvlink);
  }
  EXPECT_EQ(crossings(order, topology).hosts, 2);
}

TEST(Arrange, ThousandsOfRanksAreArrangedAtOnce) {
  const Topology topology = synthetic_topology("2048 x dgx-1, fat tree of 32 hosts").value();
  const std::vector<int> order = order_of(topology);
  ASSERT_EQ(order.size(), 16384u);
  const Crossings crossed = crossings(order, topology);
  const Crossings fewest = fewest_crossings(topology);
  EXPECT_EQ(crossed.network, fewest.network);
  EXPECT_EQ(crossed.hosts, 2048);
}

TEST(Arrange, TreesAreFoundInTheStepsOfSchedules) {
  const Topology topology = synthetic_topology("2 hosts x 4 cores").value();
  const RouteMap knomial =
      trees_of(topology, {Algorithm::knomial, Collective::broadcast, 8, 5, 3}).value();
  ASSERT_EQ(knomial.routes.size(), 1u);
  EXPECT_EQ(knomial.routes[0].first, 5);
  EXPECT_EQ(knomial.routes[0].hops.size(), 7u);
  // In rank order, some edges that could stay inside a host leave it.
  const RouteMap pair = trees_of(topology, {Algorithm::double_tree, Collective::reduce, 8}).value();
  ASSERT_EQ(pair.routes.size(), 2u);
  for (const Route& tree : pair.routes) EXPECT_EQ(tree.first, 0);
  ASSERT_EQ(pair.crossings.front().what, "host");
  EXPECT_EQ(pair.crossings.front().fewest, 2);
  EXPECT_GT(pair.crossings.front().times, 2);
  for (const Plan& plan : {Plan{Algorithm::ring, Collective::allreduce, 8},
                           Plan{Algorithm::recursive_doubling, Collective::allreduce, 8},
                           Plan{Algorithm::scatter_allgather, Collective::broadcast, 8},
                           Plan{Algorithm::knomial, Collective::gather, 8}}) {
    const Result<RouteMap> none = trees_of(topology, plan);
    ASSERT_FALSE(none.ok()) << name(plan.algorithm);
    EXPECT_EQ(none.error().code(), ErrorCode::unsupported);
  }
}

#if RONDO_HWLOC

struct Named {
  std::string name;
  Machine machine;
};

std::vector<Named> machines() {
  std::vector<Named> all;
  for (const auto& entry : std::filesystem::directory_iterator(MACHINES)) {
    if (entry.path().extension() != ".xml") continue;
    std::ifstream file(entry.path());
    const std::string xml(std::istreambuf_iterator<char>(file), {});
    all.push_back({entry.path().stem().string(), import_hwloc_xml(xml).value().machines.at(0)});
  }
  std::sort(all.begin(), all.end(), [](const Named& a, const Named& b) { return a.name < b.name; });
  return all;
}

bool has_linked_gpus(const Machine& machine) {
  return std::any_of(machine.matrices.begin(), machine.matrices.end(), [](const Matrix& matrix) {
    return matrix.name == "NVLinkBandwidth" || matrix.name == "XGMIBandwidth";
  });
}

enum class Per { core, pu };

// One rank a GPU where GPUs are linked, else one a core or PU.
Topology world_of(const Machine& machine, int hosts, Per per) {
  Topology topology;
  topology.machines = {machine};
  for (int host = 0; host < hosts; ++host) {
    topology.hosts.push_back(
        {.id = "host" + std::to_string(host), .machine = 0, .groups = {}, .gpu_uuids = {}});
    if (has_linked_gpus(machine)) {
      for (int gpu = 0; gpu < static_cast<int>(machine.gpus.size()); ++gpu) {
        topology.ranks.push_back({host, {}, gpu});
      }
      continue;
    }
    for (const Core& core : machine.cores) {
      if (per == Per::core) topology.ranks.push_back({host, core.pus});
      for (const int pu : core.pus) {
        if (per == Per::pu) topology.ranks.push_back({host, {pu}});
      }
    }
  }
  return topology;
}

TEST(Arrange, RealMachinesAreCrossedTheFewestTimes) {
  int worlds = 0;
  for (const auto& [name, machine] : machines()) {
    for (const int hosts : {1, 2, 3}) {
      for (const Per per : {Per::core, Per::pu}) {
        const Topology topology = world_of(machine, hosts, per);
        if (topology.ranks.empty()) continue;
        expect_fewest(topology, name);
        ++worlds;
      }
    }
  }
  EXPECT_EQ(worlds, 7 * 6);
}

Topology world_of(const std::string& name, int hosts) {
  for (const Named& named : machines()) {
    if (named.name == name) return world_of(named.machine, hosts, Per::core);
  }
  return {};
}

// The classes of all paths that the schedule of a plan uses.
std::map<PathClass, int> classes_of(const Plan& plan, const Topology& topology) {
  std::map<PathClass, int> classes;
  std::set<std::pair<int, int>> pairs;
  const Schedule schedule = make_schedule(plan).value();
  for (const Program& program : schedule.programs) {
    for (const Step& step : program.steps) {
      if (step.op == StepOp::send) pairs.emplace(program.rank, step.peer);
    }
  }
  for (const auto& [from, to] : pairs) ++classes[path_class(topology, from, to)];
  return classes;
}

TEST(Arrange, RingAndTreesOfADgx2StayOnNvlink) {
  const Topology topology = with_shuffled_ranks(world_of("nvidiaDGX2", 2), 3);
  ASSERT_EQ(topology.ranks.size(), 32u);
  Plan plan{Algorithm::ring, Collective::allreduce, 32};
  plan.arrangement = arrangement_for(topology).value();
  using Classes = std::map<PathClass, int>;
  EXPECT_EQ(classes_of(plan, topology),
            (Classes{{PathClass::nvlink, 30}, {PathClass::network, 2}}));
  plan.algorithm = Algorithm::chain_tree;  // all 16 edges of both hosts, both ways
  EXPECT_EQ(classes_of(plan, topology),
            (Classes{{PathClass::nvlink, 64}, {PathClass::network, 4}}));
}

TEST(Arrange, RingAndTreesOfAPower8UseTheLinksThatThereAre) {
  const Topology topology = with_shuffled_ranks(world_of("power8gpudistances", 1), 2);
  ASSERT_EQ(topology.ranks.size(), 4u);
  Plan plan{Algorithm::ring, Collective::allreduce, 4};
  plan.arrangement = arrangement_for(topology).value();
  using Classes = std::map<PathClass, int>;
  EXPECT_EQ(classes_of(plan, topology), (Classes{{PathClass::nvlink, 2}, {PathClass::sys, 2}}));
  plan.algorithm = Algorithm::chain_tree;
  EXPECT_EQ(classes_of(plan, topology), (Classes{{PathClass::nvlink, 4}, {PathClass::sys, 4}}));
}

TEST(Arrange, RingsAreDrawnOnTheirMachines) {
  for (const auto& [name, machine] : machines()) {
    const Topology topology = world_of(machine, 2, Per::core);
    if (topology.ranks.empty()) continue;
    const auto arrangement = arrangement_for(topology).value();
    expect_golden("rings/" + name + ".txt", draw_routes_text(ring_through(topology, *arrangement)));
  }
  const Topology power8 = world_of("power8gpudistances", 2);
  expect_golden("rings/power8gpudistances.svg",
                draw_routes_svg(ring_through(power8, *arrangement_for(power8).value())));
}

// The root is where the chain of its host begins: it would else go round, and cross once more.
RouteMap trees_on(const Topology& topology, Collective collective) {
  Plan plan{Algorithm::chain_tree, collective, static_cast<int>(topology.ranks.size())};
  plan.arrangement = arrangement_for(topology).value();
  if (is_rooted(collective)) plan.root = plan.arrangement->rank_at(0);
  return trees_of(topology, plan).value();
}

// Each tree leads into each part of the world once: between the GPUs of a host there is nothing but
// NVLink where it connects all of them.
TEST(Arrange, TreesOfMachinesWithLinkedGpusUseTheseLinks) {
  for (const int hosts : {1, 2, 3}) {
    for (const unsigned seed : {0u, 1u, 2u}) {
      for (const Collective collective :
           {Collective::allreduce, Collective::broadcast, Collective::reduce}) {
        const auto trees = [&](const std::string& name) {
          const Topology topology = with_shuffled_ranks(world_of(name, hosts), seed);
          const RouteMap map = trees_on(topology, collective);
          EXPECT_EQ(map.routes.size(), 2u);
          for (const Crossing& crossing : map.crossings) {
            EXPECT_EQ(crossing.times, crossing.fewest) << name << " " << crossing.what;
          }
          std::map<PathClass, int> inside = map.paths;
          inside.erase(PathClass::network);
          EXPECT_EQ(map.paths.size() - inside.size(), hosts > 1 ? 1u : 0u);
          return inside;
        };
        using Classes = std::map<PathClass, int>;
        EXPECT_EQ(trees("nvidiaDGX2"), (Classes{{PathClass::nvlink, 2 * 15 * hosts}}));
        // Two pairs of GPUs, a package each.
        EXPECT_EQ(trees("power8gpudistances"),
                  (Classes{{PathClass::nvlink, 4 * hosts}, {PathClass::sys, 2 * hosts}}));
      }
    }
  }
}

TEST(Arrange, TreesAreDrawnOnTheirMachines) {
  for (const std::string name : {"nvidiaDGX2", "power8gpudistances"}) {
    const Topology topology = world_of(name, 2);
    expect_golden("trees/" + name + ".txt",
                  draw_routes_text(trees_on(topology, Collective::allreduce)));
  }
  const RouteMap power8 = trees_on(world_of("power8gpudistances", 2), Collective::allreduce);
  expect_golden("trees/power8gpudistances.svg", draw_routes_svg(power8));
  expect_golden("trees/power8gpudistances.json", routes_json(power8));
}

#endif

}  // namespace
}  // namespace rondo::testing
