#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "rondo/topology.hpp"

namespace rondo::testing {
namespace {

// What the ranks of a topology would say of themselves.
std::vector<RankView> views_of(const Topology& topology) {
  std::vector<RankView> views;
  for (std::size_t i = 0; i < topology.ranks.size(); ++i) {
    const Rank& rank = topology.ranks[i];
    const Host& host = topology.hosts[static_cast<std::size_t>(rank.host)];
    views.push_back({static_cast<int>(i), host.id,
                     hash(topology.machines[static_cast<std::size_t>(host.machine)]), rank.pus,
                     rank.gpu, host.gpu_uuids});
  }
  return views;
}

Topology two_kinds_of_hosts() {
  Topology topology = synthetic_topology("5 x dgx-1").value();
  topology.network = {};
  topology.machines.push_back(synthetic_topology("2 packages x 3 cores").value().machines[0]);
  topology.hosts[2].machine = 1;
  topology.hosts[1].gpu_uuids.assign(8, "GPU-x");
  for (Rank& rank : topology.ranks) {
    if (rank.host == 2) rank = {2, {1, 2}, unknown};
  }
  return canonical(topology);
}

TEST(Merge, GivesTheTopologyWhateverTheOrder) {
  const Topology topology = two_kinds_of_hosts();
  std::vector<RankView> views = views_of(topology);
  std::vector<Machine> machines = topology.machines;
  std::mt19937 random(7);
  for (int i = 0; i < 20; ++i) {
    std::shuffle(views.begin(), views.end(), random);
    std::shuffle(machines.begin(), machines.end(), random);
    const Result<Topology> merged = merge(views, machines);
    ASSERT_TRUE(merged.ok()) << merged.error().what();
    ASSERT_EQ(merged.value(), topology);
    ASSERT_EQ(hash(merged.value()), hash(topology));
  }
}

TEST(Merge, TakesTheViewThatShowsMost) {
  Topology whole = synthetic_topology("dgx-1").value();
  whole.network = {};  // views do not tell of it
  Machine part = whole.machines[0];
  part.gpus.erase(part.gpus.begin(), part.gpus.begin() + 4);
  part.matrices.clear();
  part.cores.resize(20);
  std::vector<RankView> views = views_of(whole);
  views[6].machine = hash(part);
  views[6].gpu = 2;  // which the others know as 6
  const Machine machines[] = {part, whole.machines[0]};
  EXPECT_EQ(merge(views, machines).value(), whole);

  // By UUID where the address differs, as in a virtual machine.
  part.gpus[2].pci = "0000:00:01.0";
  views[6].machine = hash(part);
  views[6].gpu_uuids = {"GPU-4", "GPU-5", "GPU-6", "GPU-7"};
  for (RankView& view : views) {
    if (view.rank == 6) continue;
    view.gpu_uuids = {"GPU-0", "GPU-1", "GPU-2", "GPU-3", "GPU-4", "GPU-5", "GPU-6", "GPU-7"};
  }
  const Machine again[] = {part, whole.machines[0]};
  EXPECT_EQ(merge(views, again).value().ranks, whole.ranks);
  views[6].gpu_uuids = {};
  EXPECT_EQ(merge(views, again).value().ranks[6].gpu, unknown) << "there is nothing to know it by";
}

TEST(Merge, UnknownHostsAreNotTakenForOne) {
  const Topology topology = synthetic_topology("1 hosts x 3 cores").value();
  std::vector<RankView> views = views_of(topology);
  views[0].host = views[2].host = "";
  const Topology merged = merge(views, topology.machines).value();
  EXPECT_EQ(merged.hosts.size(), 3u);
  EXPECT_EQ(path_class(merged, 0, 2), PathClass::network);
}

TEST(Merge, RefusesViewsThatFormNoWorld) {
  const Topology topology = synthetic_topology("1 hosts x 3 cores").value();
  const auto error = [&](auto change) {
    std::vector<RankView> views = views_of(topology);
    change(views);
    const Result<Topology> merged = merge(views, topology.machines);
    return merged.ok() ? "fine" : merged.error().text();
  };
  EXPECT_EQ(error([](auto&) {}), "fine");
  EXPECT_EQ(error([](auto& views) { views[0].rank = 1; }),
            "topology of the world: rank 1 appears twice");
  EXPECT_EQ(error([](auto& views) { views[0].rank = 3; }),
            "topology of the world: there are 3 views, but one is of rank 3");
  EXPECT_EQ(error([](auto& views) { views[2].machine = 0xab; }),
            "topology of the world: nobody sent the machine of rank 2 (hash ab)");
  EXPECT_EQ(error([](auto& views) { views[2].gpu = 0; }),
            "topology of the world: rank 2 works with GPU 0, but sees 0");
  EXPECT_EQ(error([](auto& views) { views[1].gpu_uuids = {"a"}; }),
            "topology of the world: rank 1 sends 1 uuids for 0 GPUs");
}

TEST(Canonical, OrderOfHostsAndMachinesDoesNotMatter) {
  const Topology topology = two_kinds_of_hosts();
  Topology turned = topology;
  std::reverse(turned.hosts.begin(), turned.hosts.end());
  std::reverse(turned.machines.begin(), turned.machines.end());
  for (Host& host : turned.hosts) host.machine = 1 - host.machine;
  for (Rank& rank : turned.ranks) rank.host = 4 - rank.host;
  // One machine twice, and one that no host has.
  turned.machines.push_back(turned.machines[static_cast<std::size_t>(turned.hosts[0].machine)]);
  turned.machines.emplace_back();
  turned.hosts[0].machine = 2;
  EXPECT_EQ(canonical(turned), topology);
  EXPECT_NE(hash(turned), hash(topology));
  EXPECT_EQ(canonical(topology), topology);
}

TEST(Canonical, GroupsAreCountedByFirstAppearance) {
  Topology topology = synthetic_topology("8 hosts, fat tree of 2 racks of 2 hosts").value();
  const Topology expected = topology;
  for (Host& host : topology.hosts) host.groups = {7 - host.groups[0], 4 + host.groups[1]};
  EXPECT_EQ(canonical(topology), expected);
}

TEST(Hash, TellsEveryPartApart) {
  const Topology topology = two_kinds_of_hosts();
  const auto changed = [&](auto change) {
    Topology other = topology;
    change(other);
    return hash(other) != hash(topology);
  };
  EXPECT_FALSE(changed([](Topology&) {}));
  EXPECT_TRUE(changed([](Topology& t) { t.ranks[0].pus.pop_back(); }));
  EXPECT_TRUE(changed([](Topology& t) { t.ranks[0].gpu = unknown; }));
  EXPECT_TRUE(changed([](Topology& t) { t.hosts[0].id = "other"; }));
  EXPECT_TRUE(changed([](Topology& t) { t.machines[0].cores[0].l3 = unknown; }));
  EXPECT_TRUE(changed([](Topology& t) { t.machines[0].devices_known = false; }));
  EXPECT_TRUE(changed([](Topology& t) { t.network.kind = NetworkKind::flat; }));
}

}  // namespace
}  // namespace rondo::testing
