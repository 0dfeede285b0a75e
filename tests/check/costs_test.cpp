// Costs by class of path: their text, and the model of a world that is made of them.

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "check/cost_model.hpp"
#include "rondo/simulate.hpp"

namespace rondo::testing {
namespace {

constexpr double us = 1e-6;

constexpr const char* example =
    "# measured on a quiet evening\n"
    "rondo costs 1\n"
    "rank start 1.2us reduce 12GB/s copy unlimited\n"
    "l3 latency 240ns overhead 90ns wire 5.1GB/s processor 9GB/s window 512KiB\n"
    "net latency 15us wire 0.2ns/B window 4MiB  # 40 Gbit/s\n"
    "port 3f5c wire 2.5GB/s\n"
    "port host-1 wire unlimited  # which is no NIC\n";

CostTable table_of(std::string_view text) {
  const Result<CostTable> table = parse_cost_table(text);
  EXPECT_TRUE(table.ok()) << (table ? "" : table.error().what());
  return table ? table.value() : CostTable{};
}

const std::optional<LinkCost>& link_of(const CostTable& table, PathClass path) {
  return table.links[static_cast<std::size_t>(path)];
}
std::optional<LinkCost>& link_of(CostTable& table, PathClass path) {
  return table.links[static_cast<std::size_t>(path)];
}

TEST(CostText, SaysWhatItMeans) {
  const CostTable table = table_of(example);
  EXPECT_EQ(table.start_s, 1.2e-6);
  EXPECT_EQ(table.reduce_byte_s, 1 / 12e9);
  EXPECT_EQ(table.copy_byte_s, 0);
  const LinkCost l3{240e-9, 90e-9, 1 / 5.1e9, 1 / 9e9, 512 << 10};
  EXPECT_EQ(link_of(table, PathClass::l3), l3);
  const LinkCost network{15e-6, 0, 0.2e-9, 0, 4 << 20};
  EXPECT_EQ(link_of(table, PathClass::network), network);
  EXPECT_FALSE(link_of(table, PathClass::numa));
  const std::vector<PortCost> ports = {{"3f5c", 0.4e-9}, {"host-1", 0}};
  EXPECT_EQ(table.ports, ports);
}

TEST(CostText, IsWhatAPersonWouldWrite) {
  EXPECT_EQ(to_text(table_of(example)),
            "rondo costs 1\n"
            "rank start 1.2us reduce 12GB/s copy unlimited switch 0ns\n"
            "l3 latency 240ns overhead 90ns wire 5.1GB/s processor 9GB/s window 512KiB\n"
            "net latency 15us overhead 0ns wire 5GB/s processor unlimited window 4MiB\n"
            "port 3f5c wire 2.5GB/s\n"
            "port host-1 wire unlimited\n");
}

TEST(CostText, HasALineForEachClassOfDevices) {
  const std::string text =
      "rondo costs 1\n"
      "rank start 0ns reduce unlimited copy unlimited switch 0ns kernel 3us\n"
      "l3 latency 240ns overhead 0ns wire unlimited processor unlimited window 0B\n"
      "device x latency 2us read 4300GB/s write 4300GB/s\n"
      "device nvl latency 3us read 370GB/s write 400GB/s\n"
      "port 3f5c wire 2.5GB/s\n";
  const CostTable table = table_of(text);
  EXPECT_EQ(table.kernel_s, 3e-6);
  const DeviceCost linked{3e-6, 1 / 370e9, 1 / 400e9};
  EXPECT_EQ(table.devices[static_cast<std::size_t>(PathClass::nvlink)], linked);
  EXPECT_FALSE(table.devices[static_cast<std::size_t>(PathClass::pix)]);
  EXPECT_FALSE(link_of(table, PathClass::nvlink));
  EXPECT_EQ(to_text(table), text);
}

TEST(CostJson, HasSecondsAndSecondsAByte) {
  EXPECT_EQ(to_json(table_of("rondo costs 1\n"
                             "rank start 2us reduce 10GB/s\n"
                             "l3 latency 240ns overhead 90ns wire 5GB/s window 512KiB\n"
                             "device gpu latency 2us read 1GB/s write 2GB/s\n"
                             "port host-1 wire 2GB/s\n")),
            "{\"start_s\":2e-06,\"reduce_byte_s\":1e-10,\"copy_byte_s\":0,\"switch_s\":0,"
            "\"kernel_s\":0,\"links\":[{\"path\":\"L3\",\"latency_s\":2.4e-07,\"overhead_s\":9e-08,"
            "\"byte_s\":2e-10,\"overhead_byte_s\":0,\"window_bytes\":524288}],"
            "\"devices\":[{\"path\":\"GPU\",\"latency_s\":2e-06,\"read_byte_s\":1e-09,"
            "\"write_byte_s\":5e-10}],\"ports\":[{\"host\":\"host-1\",\"byte_s\":5e-10}]}\n");
}

TEST(CostText, AnyTableComesBackBitByBit) {
  std::mt19937_64 random(7);
  std::uniform_real_distribution<double> exponent(-15, 1);
  for (int round = 0; round < 500; ++round) {
    CostTable table;
    const auto number = [&] { return random() % 8 == 0 ? 0 : std::pow(10, exponent(random)); };
    const auto rate = [&] { return std::min(number(), 1e-3); };
    table.start_s = number();
    table.reduce_byte_s = rate();
    table.copy_byte_s = rate();
    table.switch_s = number();
    for (auto& link : table.links) {
      if (random() % 2 == 0) continue;
      const auto amount = [&] { return random() >> (random() % 64); };
      link = LinkCost{number(), number(), rate(), rate(), amount(), random() % 2 * amount()};
    }
    table.kernel_s = number();
    for (auto& device : table.devices) {
      if (random() % 2 == 0) device = DeviceCost{number(), rate(), rate()};
    }
    for (std::size_t host = random() % 4; host > 0; --host) {
      table.ports.push_back({"host-" + std::to_string(host), rate()});
    }
    EXPECT_EQ(table_of(to_text(table)), table) << to_text(table);
  }
}

TEST(CostText, ErrorsNameTheLineAndWhatIsRight) {
  const auto refusal = [](const std::string& text) {
    const Result<CostTable> table = parse_cost_table(text);
    return table ? std::string("none") : table.error().text();
  };
  const std::string header = "rondo costs 1\n";
  EXPECT_EQ(refusal(""), "cost text: the text is empty; it begins 'rondo costs 1'");
  EXPECT_EQ(refusal("rondo costs 2\n"), "cost text: line 1: expected '1', found '2'");
  EXPECT_EQ(refusal("rondo topology 1"), "cost text: line 1: expected 'costs', found 'topology'");
  EXPECT_EQ(refusal(header + "\nl4 latency 1us"),
            "cost text: line 3: expected rank, port, device, or a class of paths (x, core, l2, l3, "
            "numa, pkg, gpu, nvl, xgmi, pix, pxb, phb, node, sys, host, rack, net), found 'l4'");
  EXPECT_EQ(refusal(header + "l3 latency 1us\nl3 latency 2us"),
            "cost text: line 3: the class l3 appears twice");
  EXPECT_EQ(refusal(header + "l3"),
            "cost text: line 2: expected one of latency, overhead, wire, processor, window, "
            "publish, found "
            "the end of the line");
  EXPECT_EQ(refusal(header + "l3 latency 1us latency 2us"),
            "cost text: line 2: expected one of overhead, wire, processor, window, publish, found "
            "'latency'");
  EXPECT_EQ(refusal(header + "rank start 1us\nrank copy 1GB/s").substr(0, 53),
            "cost text: line 3: expected port, device, or a class ");
  EXPECT_EQ(refusal(header + "device gpu read 1GB/s\ndevice gpu read 1GB/s"),
            "cost text: line 3: the class gpu appears twice");
  EXPECT_EQ(refusal(header + "device fast read 1GB/s").substr(0, 44),
            "cost text: line 2: expected a class of paths");
  EXPECT_EQ(refusal(header + "device gpu wire 1GB/s"),
            "cost text: line 2: expected one of latency, read, write, found 'wire'");
  EXPECT_EQ(refusal(header + "port"),
            "cost text: line 2: expected the id of a host, as `rondo topo --text` shows it, found "
            "the end of the line");
  EXPECT_EQ(refusal(header + "l3 latency 1us\nnet wire 999B/s"),
            "cost text: line 3: expected a rate such as 5.1GB/s or 800MB/s, a time a byte such as "
            "0.2ns/B, or unlimited; 1kB/s is the slowest, found '999B/s'");
  EXPECT_EQ(refusal(header + "rank reduce 1000001ns/B").substr(0, 41),
            "cost text: line 2: expected a rate such a");
  EXPECT_EQ(refusal(header + "net wire 1kB/s"), "none");
  EXPECT_EQ(refusal(header + "port h1"),
            "cost text: line 2: expected one of wire, found the end of the line");
  EXPECT_EQ(refusal(header + "port h1 wire 1GB/s\nport h1 wire 2GB/s"),
            "cost text: line 3: the host h1 appears twice");
  for (const char* time :
       {"1", "us", "-1us", "1 us", "1e3us", "nans", "1.2.3us", "1GB/s", "2000s", ".5us", ""}) {
    EXPECT_EQ(refusal(header + "l3 latency " + time).substr(0, 45),
              "cost text: line 2: expected a time such as 24")
        << time;
  }
  for (const char* rate : {"1", "GB/s", "0GB/s", "-1GB/s", "5GiB/s", "5us", "inf", "Unlimited"}) {
    EXPECT_EQ(refusal(header + "l3 wire " + rate).substr(0, 45),
              "cost text: line 2: expected a rate such as 5.")
        << rate;
  }
  for (const char* amount : {"1", "KiB", "1.5KiB", "64K", "99999999999GiB", "-1B"}) {
    EXPECT_EQ(refusal(header + "l3 window " + amount).substr(0, 45),
              "cost text: line 2: expected a number of bytes")
        << amount;
  }
}

Topology world(std::string_view words) {
  const Result<Topology> topology = synthetic_topology(words);
  EXPECT_TRUE(topology.ok()) << (topology ? "" : topology.error().what());
  return topology ? topology.value() : Topology{};
}

CostTable some_costs() {
  CostTable table;
  link_of(table, PathClass::core) = LinkCost{1 * us, 0.5 * us, 1e-10, 1e-10, 1 << 20};
  link_of(table, PathClass::l3) = LinkCost{2 * us, 0.5 * us, 2e-10, 1e-10, 1 << 20};
  link_of(table, PathClass::network) = LinkCost{20 * us, 1 * us, 8e-10, 1e-10, 4 << 20};
  table.reduce_byte_s = 1e-10;
  table.copy_byte_s = 1e-10;
  return table;
}

CostModel model_of(const Topology& topology, const CostTable& table = some_costs()) {
  const Result<CostModel> model = make_cost_model(topology, table);
  EXPECT_TRUE(model.ok()) << (model ? "" : model.error().what());
  return model ? model.value() : CostModel{};
}

TEST(TopologyModel, ClassesAreThoseOfThePaths) {
  for (const char* words : {"2 hosts x 2 packages x 2 cores",
                            "3 hosts x 2 l3s x 2 cores x 2 pus, "
                            "one rank per pu",
                            "4 x dgx-a100, fat tree of 2 hosts"}) {
    const Topology topology = world(words);
    const CostModel model = model_of(topology);
    ASSERT_EQ(model.ranks, static_cast<int>(topology.ranks.size()));
    for (int from = 0; from < model.ranks; ++from) {
      for (int to = 0; to < model.ranks; ++to) {
        ASSERT_EQ(model.class_of(from, to), static_cast<int>(path_class(topology, from, to)))
            << words << ": " << from << " to " << to;
      }
    }
  }
}

TEST(TopologyModel, AMissingClassCostsAsTheNextFartherOneElseTheNearer) {
  const CostTable table = some_costs();
  const CostModel model = model_of(world("2 hosts x 2 cores"));
  const auto cost = [&](PathClass path) { return model.links[static_cast<std::size_t>(path)]; };
  EXPECT_EQ(cost(PathClass::self), *link_of(table, PathClass::core));
  EXPECT_EQ(cost(PathClass::l2), *link_of(table, PathClass::l3));
  EXPECT_EQ(cost(PathClass::numa), *link_of(table, PathClass::network));
  CostTable near;
  link_of(near, PathClass::l2) = LinkCost{.latency_s = 3 * us};
  EXPECT_EQ(model_of(world("2 hosts x 2 cores"), near).links.back(), *link_of(near, PathClass::l2));
}

TEST(TopologyModel, SlowerNicsTakeLongerPerByte) {
  Topology topology = world("4 hosts x 1 cores, 1 nic of 10 gbit/s");
  Machine slow = topology.machines.at(0);
  slow.nics.at(0).speed_mbits_per_s = 5000;
  topology.machines.push_back(slow);
  slow.nics.at(0).speed_mbits_per_s = 2500;
  topology.machines.push_back(slow);
  topology.hosts.at(1).machine = 1;
  topology.hosts.at(2).machine = 2;
  const auto byte_s = [](const CostModel& m, int from, int to) {
    return byte_s_between(m, from, to);
  };
  const CostModel model = model_of(topology);
  EXPECT_DOUBLE_EQ(byte_s(model, 0, 3), 8e-10);
  EXPECT_DOUBLE_EQ(byte_s(model, 0, 1), 16e-10);
  EXPECT_DOUBLE_EQ(byte_s(model, 1, 3), 16e-10);
  EXPECT_DOUBLE_EQ(byte_s(model, 2, 1), 32e-10);
  EXPECT_EQ(model.class_of(0, 3), static_cast<int>(path_class(topology, 0, 3)));
  const CostModel nominal = model_of(topology, nominal_costs(topology).value());
  EXPECT_DOUBLE_EQ(byte_s(nominal, 0, 3), 8e-10);
  EXPECT_DOUBLE_EQ(byte_s(nominal, 2, 1), 32e-10);
  topology.machines.at(2).nics.at(0).speed_mbits_per_s = 0;  // unknown
  EXPECT_DOUBLE_EQ(byte_s(model_of(topology), 2, 1), 8e-10);
}

constexpr int network_class = static_cast<int>(PathClass::network);

TEST(TopologyModel, PortsHaveTheRatesOfTheirHosts) {
  const Topology topology = world("4 hosts x 2 cores, 2 nics of 10 gbit/s, 2 ranks");
  CostTable table = some_costs();
  table.ports = {{topology.hosts[1].id, 16e-10}, {topology.hosts[2].id, 1e-10}};
  const CostModel model = model_of(topology, table);
  const auto between = [&](int from, int to) { return byte_s_between(model, from, to); };
  EXPECT_DOUBLE_EQ(between(0, 6), 8e-10);   // as the class says
  EXPECT_DOUBLE_EQ(between(0, 4), 8e-10);   // a port makes no link faster than its class
  EXPECT_DOUBLE_EQ(between(0, 2), 16e-10);  // host 1 is slow for both of its ranks …
  EXPECT_DOUBLE_EQ(between(3, 0), 16e-10);
  EXPECT_DOUBLE_EQ(between(2, 3), 2e-10);  // … but not in what stays inside
  EXPECT_EQ(model.port_of(2, network_class), model.port_of(3, network_class));
  EXPECT_NE(model.port_of(0, network_class), model.port_of(1, network_class));  // not measured
  // Where wires cost nothing but at ports, a host that is not known is no faster than the slowest.
  CostTable ports_only = table;
  ports_only.links.at(static_cast<std::size_t>(PathClass::network))->byte_s = 0;
  EXPECT_DOUBLE_EQ(byte_s_between(model_of(topology, ports_only), 0, 4), 16e-10);
  // What is known of a host counts more than what its NICs promise.
  Topology faster = topology;
  faster.machines.push_back(faster.machines.at(0));
  for (Device& nic : faster.machines.at(1).nics) nic.speed_mbits_per_s = 40000;
  faster.hosts.at(1).machine = 1;
  EXPECT_DOUBLE_EQ(byte_s_between(model_of(faster, table), 0, 2), 32e-10);
  table.ports[0].byte_s = -1;
  const Result<CostModel> refused = make_cost_model(topology, table);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().text(), "the cost of a port of host " + topology.hosts[1].id +
                                        " makes no sense: a byte takes from 0 to 0.001 s");
}

TEST(TopologyModel, APortIsOneForAllClasses) {
  // Host 0 sends to its rack and out of it: two classes, one NIC.
  const Topology topology = world("4 hosts x 1 cores, fat tree of 2 hosts");
  const CostModel model = model_of(topology);
  EXPECT_NE(model.class_of(0, 1), model.class_of(0, 2));
  EXPECT_EQ(model.port_of(0, model.class_of(0, 1)), model.port_of(0, model.class_of(0, 2)));
}

TEST(TopologyModel, RefusesWhatIsNoWorldOrNoCost) {
  const Topology topology = world("2 hosts x 2 cores");
  const auto refusal = [](const Result<CostModel>& model) {
    return model ? std::string("none") : model.error().text();
  };
  EXPECT_EQ(refusal(make_cost_model(topology, {})),
            "a table of costs needs those of one class of paths at least");
  EXPECT_EQ(refusal(make_cost_model(Topology{}, some_costs())),
            "a topology without ranks is no world to simulate");
  CostTable negative = some_costs();
  link_of(negative, PathClass::l3)->latency_s = -1;
  EXPECT_EQ(refusal(make_cost_model(topology, negative)),
            "the costs of paths of class L3 make no sense: each is from 0 to 1000 s, and of a byte "
            "to 0.001 s");
  CostTable endless = some_costs();
  endless.start_s = HUGE_VAL;
  EXPECT_FALSE(make_cost_model(topology, endless).ok());
}

std::vector<int> processors(const CostModel& model) {
  std::vector<int> all;
  for (int rank = 0; rank < model.ranks; ++rank) all.push_back(model.processor_of(rank));
  return all;
}

// One host with `cores` cores of one PU; PUs of each rank, none for unbound.
Topology bound(int cores, const std::vector<std::vector<int>>& pus) {
  Topology topology = world("1 hosts x " + std::to_string(cores) + " cores, 1 ranks");
  topology.ranks.clear();
  for (const std::vector<int>& those : pus) topology.ranks.push_back({0, those, unknown});
  return topology;
}

TEST(TopologyModel, RanksOnOneCoreShareAProcessor) {
  const std::vector<int> shared = processors(model_of(bound(2, {{0}, {1}, {0}, {1}})));
  EXPECT_EQ(shared[0], shared[2]);
  EXPECT_EQ(shared[1], shared[3]);
  EXPECT_NE(shared[0], shared[1]);
  const std::vector<int> threads =
      processors(model_of(world("1 hosts x 2 cores x 2 pus, one rank per pu")));
  EXPECT_EQ(threads[0], threads[1]);
  EXPECT_NE(threads[1], threads[2]);
}

TEST(TopologyModel, MoreRanksThanCoresAreDealtOut) {
  const std::vector<int> all = {0, 1};
  for (const std::vector<int>& pus : {all, std::vector<int>{}}) {
    const std::vector<int> enough = processors(model_of(bound(2, {pus, pus})));
    EXPECT_NE(enough[0], enough[1]);
    const std::vector<int> shared = processors(model_of(bound(2, {pus, pus, pus, pus, pus})));
    for (int rank = 0; rank < 5; ++rank) {
      EXPECT_EQ(shared[static_cast<std::size_t>(rank)], shared[static_cast<std::size_t>(rank % 2)]);
    }
    EXPECT_NE(shared[0], shared[1]);
  }
  // Three ranks of which one is bound: the free ones have to share with it.
  const std::vector<int> mixed = processors(model_of(bound(2, {{0}, all, all})));
  EXPECT_EQ(mixed[0], mixed[2]);
  EXPECT_NE(mixed[0], mixed[1]);
  // On different hosts nothing is shared.
  const std::vector<int> hosts = processors(model_of(world("2 hosts x 1 cores")));
  EXPECT_NE(hosts[0], hosts[1]);
}

TEST(TopologyModel, RanksOfAHostShareItsNics) {
  const CostModel model = model_of(world("2 hosts x 4 cores, 2 nics"));
  const auto port = [&](int rank) {
    return model.port_of(rank, static_cast<int>(PathClass::network));
  };
  EXPECT_EQ(port(0), port(1));
  EXPECT_NE(port(1), port(2));
  EXPECT_EQ(port(2), port(3));
  EXPECT_NE(port(3), port(4));
  EXPECT_NE(model.port_of(0, static_cast<int>(PathClass::l3)),
            model.port_of(1, static_cast<int>(PathClass::l3)));
}

double seconds(const Plan& plan, const CostModel& model, std::uint64_t bytes,
               Folding folding = Folding::automatic) {
  const Result<Simulation> simulation =
      simulate(plan, model, {.bytes = bytes, .tile_bytes = 4096}, {.folding = folding});
  EXPECT_TRUE(simulation.ok()) << (simulation ? "" : simulation.error().what());
  return simulation ? simulation.value().seconds : -1;
}

TEST(TopologyModel, ASharedProcessorDoesOneThingAtATime) {
  // Everybody sends to everybody; nothing but the processors costs.
  CostTable table;
  link_of(table, PathClass::network) = LinkCost{.overhead_s = 1 * us, .window_bytes = 1 << 20};
  const Plan plan{Algorithm::one_shot, Collective::allgather, 4, 0, 2};
  const double alone = seconds(plan, model_of(bound(4, {{0}, {1}, {2}, {3}}), table), 16);
  const double together = seconds(plan, model_of(bound(4, {{0}, {0}, {0}, {0}}), table), 16);
  EXPECT_NEAR(alone, 6 * us, 1e-12);      // three sends and three recvs of each rank
  EXPECT_NEAR(together, 24 * us, 1e-12);  // of all ranks
}

TEST(TopologyModel, AFastPortHasTimeForOthers) {
  // Rank 0 sends to 1, 2 and 3, one after the other; a tile takes 4 units on a fast port. Host 1 is
  // slow, and while it takes what is meant for it, rank 0 goes on with the others.
  const Topology topology = world("4 hosts x 1 cores");
  CostTable table;
  link_of(table, PathClass::network) = LinkCost{.byte_s = 1e-9, .window_bytes = 1 << 20};
  table.ports = {{topology.hosts[1].id, 2e-9}};
  const Plan flat{Algorithm::knomial, Collective::broadcast, 4, 0, 4};
  const auto seconds = [&](const CostTable& costs) {
    return simulate(flat, model_of(topology, costs), {.bytes = 4096}).value().seconds;
  };
  const double unit = 4096e-9;
  EXPECT_NEAR(seconds(table), 3 * unit, 1e-12);
  table.ports[0].byte_s = 5e-9;
  EXPECT_NEAR(seconds(table), 5 * unit, 1e-12);
  table.ports = {{topology.hosts[0].id, 2e-9}};
  EXPECT_NEAR(seconds(table), 6 * unit, 1e-12);
}

TEST(TopologyModel, ASharedProcessorTurnsFromOneRankToAnother) {
  CostTable table;
  link_of(table, PathClass::network) = LinkCost{.overhead_s = 1 * us, .window_bytes = 1 << 20};
  table.switch_s = 10 * us;
  const Plan there{Algorithm::knomial, Collective::broadcast, 2, 0, 2};
  EXPECT_NEAR(seconds(there, model_of(bound(2, {{0}, {1}}), table), 16), 2 * us, 1e-12);
  EXPECT_NEAR(seconds(there, model_of(bound(2, {{0}, {0}}), table), 16), 12 * us, 1e-12);
  // The second goes on from its send to its recv, so that it turns twice.
  const Plan both{Algorithm::one_shot, Collective::allgather, 2, 0, 2};
  EXPECT_NEAR(seconds(both, model_of(bound(2, {{0}, {0}}), table), 16), (4 + 2 * 10) * us, 1e-12);
}

TEST(TopologyModel, FoldsWhereItRepeatsItself) {
  EXPECT_EQ(model_of(world("4 hosts x 2 packages x 2 cores")).period, 4);
  EXPECT_EQ(model_of(world("8 hosts x 2 cores, fat tree of 2 hosts")).period, 4);
  EXPECT_EQ(model_of(world("6 hosts x 1 cores")).period, 1);
  EXPECT_EQ(model_of(bound(4, {{}, {}, {}, {}})).period, 1);
  // Sharing a core with a rank that is a period away would be lost.
  EXPECT_EQ(model_of(bound(2, {{}, {}, {}, {}})).period, 0);
  EXPECT_EQ(model_of(bound(4, {{0}, {1}, {2}, {3}})).period, 0);
  EXPECT_EQ(model_of(world("3 hosts x 1 cores, fat tree of 2 hosts")).period, 0);
  // Ranks dealt out to hosts in turn share NICs with ranks elsewhere.
  // Nor are hosts alike whose ports are not.
  const Topology equal = world("4 hosts x 2 cores");
  CostTable uneven = some_costs();
  for (const int host : {0, 1, 2, 3}) {
    uneven.ports.push_back({equal.hosts[static_cast<std::size_t>(host)].id, 1e-9});
  }
  EXPECT_EQ(model_of(equal, uneven).period, 2);
  uneven.ports[3].byte_s = 2e-9;
  EXPECT_EQ(model_of(equal, uneven).period, 0);
  uneven.ports[1].byte_s = 2e-9;
  EXPECT_EQ(model_of(equal, uneven).period, 4);
  Topology dealt = world("2 hosts x 2 cores");
  std::swap(dealt.ranks[1], dealt.ranks[2]);
  EXPECT_EQ(model_of(dealt).period, 0);
}

void expect_folded_as_whole(std::string_view words, Algorithm algorithm, double tolerance) {
  const CostModel model = model_of(world(words));
  ASSERT_GT(model.period, 0) << words;
  const Plan plan{algorithm, Collective::allgather, model.ranks, 0, 2};
  const std::uint64_t bytes = 32768u * static_cast<std::uint64_t>(model.ranks);
  const double whole = seconds(plan, model, bytes, Folding::never);
  EXPECT_NEAR(seconds(plan, model, bytes, Folding::always), whole, tolerance * whole)
      << words << " " << name(algorithm);
}

TEST(TopologyModel, FoldedWorldsTakeAsLongAsWholeOnes) {
  for (const char* words : {"4 hosts x 2 packages x 2 cores", "6 hosts x 1 cores",
                            "3 hosts x 4 cores x 2 pus, one rank per pu"}) {
    expect_folded_as_whole(words, Algorithm::ring, 1e-9);
    expect_folded_as_whole(words, Algorithm::one_shot, 1e-9);
  }
  for (const char* words :
       {"4 hosts x 2 cores, 4 ranks, 2 nics", "8 hosts x 2 cores, fat tree of 2 hosts"}) {
    expect_folded_as_whole(words, Algorithm::ring, 1e-9);
    // Who is first at a port when several ask at once is decided by rank, which folding changes.
    expect_folded_as_whole(words, Algorithm::one_shot, 0.05);
  }
}

}  // namespace
}  // namespace rondo::testing
