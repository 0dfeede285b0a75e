#include <gtest/gtest.h>

#include "rondo/topology.hpp"

namespace rondo::testing {
namespace {

using enum PathClass;

Topology made(const char* description) {
  return synthetic_topology(description).value();
}

TEST(Path, CoresFromNearToFar) {
  const Topology topology =
      made("2 hosts x 2 packages x 2 numas x 2 l3s x 2 cores x 2 pus, one rank per pu");
  const auto expect = [&](int other, PathClass path) {
    EXPECT_EQ(name(path_class(topology, 0, other)), name(path)) << other;
    EXPECT_EQ(path_class(topology, other, 0), path) << other;
  };
  expect(0, self);
  expect(1, PathClass::core);
  expect(2, l3);
  expect(4, numa);
  expect(8, package);
  expect(16, sys);
  expect(32, network);
}

TEST(Path, AnL2ThatCoresShare) {
  Topology topology = made("1 hosts x 4 cores");
  topology.machines[0].cores[1].l2 = 0;
  EXPECT_EQ(path_class(topology, 0, 1), l2);
  EXPECT_EQ(path_class(topology, 0, 2), l3);
}

TEST(Path, WhatIsUnknownIsNotGuessed) {
  Topology topology = made("1 hosts x 4 cores");
  topology.machines[0].cores = {{unknown, unknown, unknown, unknown, {0}},
                                {unknown, unknown, unknown, unknown, {1}},
                                {0, unknown, unknown, unknown, {2}},
                                {1, unknown, unknown, unknown, {3}}};
  EXPECT_EQ(path_class(topology, 0, 1), host);
  EXPECT_EQ(path_class(topology, 0, 2), host);
  EXPECT_EQ(path_class(topology, 2, 3), sys);
  topology.ranks[2].pus = {};
  EXPECT_EQ(path_class(topology, 2, 3), host);
}

TEST(Path, ARankMayHaveSeveralCores) {
  const Topology topology = made("1 hosts x 2 packages x 2 l3s x 4 cores, 2 ranks");
  EXPECT_EQ(path_class(topology, 0, 1), sys);
  const Machine& machine = topology.machines[0];
  EXPECT_EQ(place_of(machine, topology.ranks[0].pus), (Place{0, 0, unknown, unknown, unknown}));
  const int two_cores[] = {4, 5};
  EXPECT_EQ(place_of(machine, two_cores), (Place{0, 0, 1, unknown, unknown}));
  const int packages[] = {0, 15};
  EXPECT_EQ(place_of(machine, packages), Place{});
  EXPECT_EQ(place_of(machine, {}), Place{});
}

TEST(Path, RacksAndSwitches) {
  const Topology tree = made("8 hosts, fat tree of 2 racks of 2 hosts");
  EXPECT_EQ(path_class(tree, 0, 1), rack);
  EXPECT_EQ(path_class(tree, 0, 2), network);
  EXPECT_EQ(path_class(tree, 1, 4), network);
  EXPECT_EQ(path_class(tree, 4, 5), rack);
  EXPECT_EQ(path_class(tree, 0, 4), network) << "first racks of two pods";
}

TEST(Path, GpusOfADgx) {
  const Topology topology = made("2 x dgx-1");
  EXPECT_EQ(path_class(topology, 0, 1), nvlink);
  EXPECT_EQ(path_class(topology, 0, 4), nvlink);
  EXPECT_EQ(path_class(topology, 0, 5), sys) << "the mesh has no such link";
  EXPECT_EQ(path_class(topology, 0, 8), network);
  const Machine& machine = topology.machines[0];
  const auto gpu = [](int index) { return Object{ObjectKind::gpu, index}; };
  const auto nic = [](int index) { return Object{ObjectKind::nic, index}; };
  EXPECT_EQ(path_class(machine, gpu(1), nic(0)), pix);
  EXPECT_EQ(path_class(machine, gpu(2), nic(0)), node);
  EXPECT_EQ(path_class(machine, gpu(4), nic(0)), sys);
  EXPECT_EQ(path_class(machine, gpu(0), {ObjectKind::core, 3}), phb);
  EXPECT_EQ(path_class(machine, {ObjectKind::core, 23}, gpu(0)), sys);
  EXPECT_EQ(path_class(machine, gpu(0), {ObjectKind::package, 0}), phb);
  Topology shared = topology;
  shared.ranks[1].gpu = 0;
  EXPECT_EQ(path_class(shared, 0, 1), same_gpu);
  shared.ranks[1].gpu = unknown;
  EXPECT_EQ(path_class(shared, 0, 1), l3) << "without a GPU, the cores count";
}

TEST(Path, PcieBridges) {
  Machine machine = made("1 hosts x 2 packages, 2 gpus").machines[0];
  const auto path = [&](std::vector<std::string> left, std::vector<std::string> right) {
    machine.gpus[0].via = std::move(left);
    machine.gpus[1].via = std::move(right);
    return path_class(machine, {ObjectKind::gpu, 0}, {ObjectKind::gpu, 1});
  };
  EXPECT_EQ(path({"root", "up", "a"}, {"root", "up", "b"}), pix);
  EXPECT_EQ(path({"root", "up"}, {"root", "up"}), pix) << "two functions of one device";
  EXPECT_EQ(path({"root", "up", "a", "x", "y"}, {"root", "up", "b"}), pxb);
  EXPECT_EQ(path({"root", "a"}, {"root", "b"}), phb);
  EXPECT_EQ(path({"root"}, {"other"}), sys) << "in different packages";
  machine.gpus[1].package = 0;
  machine.gpus[1].numa = 0;
  EXPECT_EQ(path({"root"}, {"other"}), node);
  EXPECT_EQ(path({}, {}), node);
  machine.gpus[1].package = unknown;
  machine.gpus[1].numa = unknown;
  EXPECT_EQ(path({}, {}), host);
}

TEST(Path, LinksOfOtherKinds) {
  Machine machine = made("1 hosts x 2 packages x 2 cores, 2 gpus").machines[0];
  const Object gpu{ObjectKind::gpu, 0};
  machine.matrices = {{"XGMIBandwidth", true, {gpu, {ObjectKind::gpu, 1}}, {0, 5, 0, 0}}};
  EXPECT_EQ(path_class(machine, gpu, {ObjectKind::gpu, 1}), xgmi);
  machine.matrices = {{"NVLinkBandwidth", true, {gpu, {ObjectKind::package, 0}}, {0, 5, 5, 0}}};
  EXPECT_EQ(path_class(machine, gpu, {ObjectKind::core, 1}), nvlink);
  EXPECT_EQ(path_class(machine, {ObjectKind::numa, 0}, gpu), nvlink);
  EXPECT_EQ(path_class(machine, gpu, {ObjectKind::core, 2}), sys);
  EXPECT_EQ(path_class(machine, gpu, {ObjectKind::gpu, 1}), sys);
}

TEST(Path, EveryClassHasAWordAndAMeaning) {
  for (int i = 0; i < path_class_count; ++i) {
    EXPECT_FALSE(name(static_cast<PathClass>(i)).empty()) << i;
    EXPECT_FALSE(meaning(static_cast<PathClass>(i)).empty()) << i;
    for (int j = 0; j < i; ++j) {
      EXPECT_NE(name(static_cast<PathClass>(i)), name(static_cast<PathClass>(j)));
    }
  }
}

}  // namespace
}  // namespace rondo::testing
