#include <gtest/gtest.h>

#include <set>

#include "rondo/topology.hpp"

namespace rondo::testing {
namespace {

TEST(Synthetic, CountsAsTheWordsSay) {
  const Topology topology =
      synthetic_topology("2 hosts x 2 packages x 8 cores, 2 nics of 200 gbit/s").value();
  ASSERT_EQ(topology.hosts.size(), 2u);
  ASSERT_EQ(topology.machines.size(), 1u) << "both hosts are built alike";
  const Machine& machine = topology.machines[0];
  EXPECT_EQ(machine.cores.size(), 16u);
  EXPECT_EQ(machine.cores[15].package, 1);
  ASSERT_EQ(machine.nics.size(), 2u);
  EXPECT_EQ(machine.nics[1].package, 1) << "NICs are shared out among the packages";
  EXPECT_EQ(machine.nics[0].speed_mbits_per_s, 200'000u);
  ASSERT_EQ(topology.ranks.size(), 32u) << "one for each core";
  EXPECT_EQ(topology.ranks[17], (Rank{1, {1}, unknown}));
}

TEST(Synthetic, RanksLiveWhereTheWordsSay) {
  const auto ranks = [](const std::string& words) {
    return synthetic_topology("2 hosts x 2 packages x 2 numas x 3 cores x 2 pus, " + words)
        .value()
        .ranks;
  };
  EXPECT_EQ(ranks("one rank per host").size(), 2u);
  EXPECT_EQ(ranks("one rank per package").size(), 4u);
  EXPECT_EQ(ranks("one rank per numa").size(), 8u);
  EXPECT_EQ(ranks("one rank per core").size(), 24u);
  EXPECT_EQ(ranks("one rank per pu").size(), 48u);
  EXPECT_EQ(ranks("3 gpus").size(), 6u);
  EXPECT_EQ(ranks("3 gpus, one rank per core").size(), 24u);
  EXPECT_EQ(ranks("one rank per numa")[1].pus, (std::vector{3, 4, 5, 15, 16, 17}));
  EXPECT_EQ(ranks("5 ranks")[4].pus.size(), 6u) << "cores are shared out as evenly as can be";
  EXPECT_EQ(ranks("20 ranks")[13].pus, (std::vector{1, 13})) << "more ranks than cores";
}

TEST(Synthetic, DgxsHaveTheirPublishedShape) {
  struct Shape {
    const char* name;
    std::size_t cores;
    std::size_t gpus;
    std::size_t nics;
    std::uint64_t gpu_bandwidth;  // of all links of a GPU, in MB/s
  };
  for (const Shape& shape :
       {Shape{"dgx-1", 40, 8, 4, 150'000}, Shape{"dgx-2", 48, 16, 8, 150'000},
        Shape{"dgx-a100", 128, 8, 8, 300'000}, Shape{"dgx-h100", 112, 8, 8, 450'000}}) {
    const Machine machine = synthetic_topology(shape.name).value().machines[0];
    EXPECT_EQ(machine.cores.size(), shape.cores) << shape.name;
    EXPECT_EQ(machine.gpus.size(), shape.gpus) << shape.name;
    EXPECT_EQ(machine.nics.size(), shape.nics) << shape.name;
    const Matrix& links = machine.matrices.at(0);
    std::uint64_t sum = 0;
    std::uint64_t most = 0;
    for (std::size_t i = 0; i < shape.gpus; ++i) {
      sum += links.values[i];
      most = std::max(most, links.values[i]);
      for (std::size_t j = 0; j < shape.gpus; ++j) {
        EXPECT_EQ(links.values[i * shape.gpus + j], links.values[j * shape.gpus + i]);
      }
    }
    EXPECT_EQ(most == 50'000 ? sum : most, shape.gpu_bandwidth) << shape.name;
    // Each GPU has a NIC below the same PCIe switch.
    for (std::size_t i = 0; i < shape.gpus; ++i) {
      std::set<PathClass> classes;
      for (std::size_t j = 0; j < shape.nics; ++j) {
        classes.insert(path_class(machine, {ObjectKind::gpu, static_cast<int>(i)},
                                  {ObjectKind::nic, static_cast<int>(j)}));
      }
      EXPECT_TRUE(classes.contains(PathClass::pix)) << shape.name << " GPU " << i;
    }
  }
}

TEST(Synthetic, AddressesAreDistinct) {
  for (const char* words :
       {"2 packages x 4 numas, 64 gpus, 64 nics", "dgx-2", "1 hosts, 64 nics"}) {
    const Machine machine = synthetic_topology(words).value().machines[0];
    std::set<std::string> addresses;
    std::set<std::string> ports;
    for (const std::vector<Device>* devices : {&machine.gpus, &machine.nics}) {
      for (const Device& device : *devices) {
        EXPECT_TRUE(addresses.insert(device.pci).second) << device.pci;
        EXPECT_TRUE(ports.insert(device.via.back()).second) << device.via.back();
      }
    }
  }
}

TEST(Synthetic, Networks) {
  const Topology tree =
      synthetic_topology("10 x dgx-h100, Fat Tree of 4 hosts tapered 2:1").value();
  EXPECT_EQ(tree.network, (Network{NetworkKind::fat_tree, {{"rack", 50}}}));
  EXPECT_EQ(tree.hosts[7].groups, std::vector{1});
  EXPECT_EQ(tree.hosts[9].groups, std::vector{2});
  const Topology dragonfly =
      synthetic_topology("64 hosts, dragonfly of 4 switches of 2 hosts tapered 4:1").value();
  EXPECT_EQ(dragonfly.network, (Network{NetworkKind::dragonfly, {{"group", 25}, {"switch", 100}}}));
  EXPECT_EQ(dragonfly.hosts[63].groups, (std::vector{7, 3}));
  const Topology rails =
      synthetic_topology("8 x dgx-h100, rail-optimised fat tree of 4 hosts").value();
  EXPECT_EQ(rails.network, (Network{NetworkKind::rail_optimised, {{"rack", 100}}}));
  EXPECT_EQ(parse_topology(to_text(rails)).value(), rails);
  EXPECT_EQ(synthetic_topology("2 hosts").value().network.kind, NetworkKind::flat);
}

TEST(Synthetic, ManyHostsAreCheap) {
  const Topology topology =
      synthetic_topology("8192 x dgx-h100, fat tree of 8 racks of 16 hosts").value();
  EXPECT_EQ(topology.ranks.size(), 65536u);
  EXPECT_EQ(topology.machines.size(), 1u);
}

TEST(Synthetic, NonsenseIsExplained) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "expected a number, or dgx-1, dgx-2, dgx-a100 or dgx-h100, found the end"},
      {"machine", "found 'machine'"},
      {"dgx-9", "found 'dgx-9'"},
      {"2", "expected hosts, packages, numas, l3s, cores or pus, found the end"},
      {"2 dogs", "found 'dogs'"},
      {"2 x dogs", "expected dgx-1, dgx-2, dgx-a100 or dgx-h100, found 'dogs'"},
      {"0 hosts", "the number of hosts is from 1 to 65536, not 0"},
      {"-1 hosts", "not -1"},
      {"99999999999 hosts", "found '99999999999'"},
      {"2 cores x 2 packages", "'packages' comes too late or twice"},
      {"2 cores x 2 cores", "'cores' comes too late or twice"},
      {"2 hosts x", "found the end"},
      {"2 hosts 3 cores", "expected ',' or the end, found '3'"},
      {"2 hosts,", "expected 'N nics', 'N gpus', 'N ranks'"},
      {"2 hosts, 3 dogs", "expected nics, gpus or ranks, found 'dogs'"},
      {"2 hosts, 0 nics", "expected a number from 1 to 4096, found '0'"},
      {"2 hosts, 2 nics of fast", "expected a speed from 1 to 3200, found 'fast'"},
      {"2 hosts, 2 nics of 100", "expected 'gbit/s', found the end"},
      {"2 hosts, 2 gpus with wires", "expected 'nvlink', found 'wires'"},
      {"2 hosts, 65 gpus", "at most 64 GPUs and 64 NICs"},
      {"2 hosts, one rank per dog", "expected host, package, numa, core, pu or gpu, found 'dog'"},
      {"2 hosts, one rank per gpu", "there are no GPUs to give ranks"},
      {"2 hosts x 4 cores, 7 ranks, one rank per core", "the ranks of a host are given twice"},
      {"2 hosts, one rank per host, 1 ranks", "the ranks of a host are given twice"},
      {"4 hosts, dragonfly of 2 switches of 3 hosts",
       "a group of the dragonfly has 6 hosts, but there are 4"},
      {"64 packages x 1024 cores", "a host has at most 4096 PUs, not 65536"},
      {"65536 hosts x 64 cores", "that makes 4194304 ranks, more than 1048576"},
      {"4 hosts, fat tree", "expected 'of', found the end"},
      {"4 hosts, fat tree of 2 dogs", "expected 'hosts', found 'dogs'"},
      {"4 hosts, rail-optimised tree", "expected 'fat', found 'tree'"},
      {"4 hosts, dragonfly of 2 hosts", "expected 'switches', found 'hosts'"},
      {"4 hosts, fat tree of 2 hosts tapered", "expected a taper from 1:1 to 100:1"},
      {"4 hosts, fat tree of 2 hosts tapered 0:1", "found '0:1'"},
      {"4 hosts, fat tree of 2 hosts tapered 2:2", "found '2:2'"},
      {"4 hosts, fat tree of 2 hosts, fat tree of 2 hosts", "there are two networks; give one"},
  };
  for (const auto& [words, error] : cases) {
    const Result<Topology> made = synthetic_topology(words);
    ASSERT_FALSE(made.ok()) << words;
    EXPECT_EQ(made.error().code(), ErrorCode::invalid_argument);
    EXPECT_TRUE(made.error().text().starts_with("synthetic machine: ")) << made.error().text();
    EXPECT_NE(made.error().text().find(error), std::string::npos)
        << words << "\nfound:    " << made.error().text() << "\nexpected: " << error;
  }
}

}  // namespace
}  // namespace rondo::testing
