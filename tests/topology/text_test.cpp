#include "topology/text.hpp"

#include <gtest/gtest.h>

#include <random>

namespace rondo::testing {
namespace {

const char* const descriptions[] = {
    "1 hosts",
    "3 hosts x 2 packages x 2 numas x 2 l3s x 3 cores x 2 pus, 3 nics, 5 ranks",
    "2 x dgx-1",
    "dgx-a100",
    "9 x dgx-h100, fat tree of 2 racks of 2 hosts tapered 2:1",
    "20 hosts x 2 cores, dragonfly of 2 switches of 3 hosts tapered 4:1",
};

const std::string start = "rondo topology 1\n";
const std::string machine = start + "machine 0 cores known devices known\n";
const std::string core = machine + "core 0 package 0 numa ? l3 ? l2 ? pus 0-1\n";
const std::string host = core + "host 0 id a machine 0 groups ? uuids ?\n";
const std::string gpu_fields = "names ? model ? pci ? via ? package ? numa ? ";

TEST(TopologyText, RoundTrips) {
  for (const char* description : descriptions) {
    const Topology topology = synthetic_topology(description).value();
    const std::string text = to_text(topology);
    const Result<Topology> parsed = parse_topology(text);
    ASSERT_TRUE(parsed.ok()) << parsed.error().what();
    EXPECT_EQ(parsed.value(), topology) << description;
    EXPECT_EQ(to_text(parsed.value()), text);
    EXPECT_EQ(hash(parsed.value()), hash(topology));
    for (const Machine& value : topology.machines) {
      EXPECT_EQ(parse_machine(to_text(value)).value(), value);
    }
  }
}

TEST(TopologyText, UnknownsAndUuidsRoundTrip) {
  Topology topology = synthetic_topology("2 x dgx-1").value();
  topology.hosts[0].gpu_uuids = {"GPU-1", "-", "-", "-", "-", "-", "-", "GPU-8"};
  topology.hosts[1].id = "";
  topology.machines[0].cores[3] = {unknown, unknown, unknown, unknown, {}};
  topology.machines[0].cores_known = false;
  topology.machines[0].devices_known = false;
  topology.machines[0].gpus[2] = Device{};
  topology.ranks[1] = Rank{1, {}, unknown};
  topology.ranks[0].pus = {0, 2, 4, 5};
  for (Rank& rank : topology.ranks) std::erase_if(rank.pus, [](int pu) { return pu % 40 == 3; });
  const Result<Topology> parsed = parse_topology(to_text(topology));
  ASSERT_TRUE(parsed.ok()) << parsed.error().what();
  EXPECT_EQ(parsed.value(), topology);
}

TEST(TopologyText, CommentsAndBlankLinesAreFree) {
  std::string loose = "# by hand\r\n\n";
  for (const char c : host) loose += c == '\n' ? std::string("  # so\r\n\n") : std::string(1, c);
  ASSERT_TRUE(parse_topology(loose).ok()) << parse_topology(loose).error().what();
  EXPECT_EQ(parse_topology(loose).value(), parse_topology(host).value());
}

TEST(TopologyText, ViewsRoundTrip) {
  RankView view{3, "a2bc", 0xfedcba9876543210u, {0, 1, 2, 9}, 2, {"GPU-1", "-", "GPU-3"}};
  EXPECT_EQ(parse_view(to_text(view)).value(), view);
  view = RankView{};
  EXPECT_EQ(parse_view(to_text(view)).value(), view);
  EXPECT_EQ(to_text(view), "view rank 0 host ? machine 0000000000000000 pus ? gpu ? uuids ?\n");
  EXPECT_EQ(parse_view("view rank x").error().text(),
            "view of a rank: expected a rank as a number up to 2147483647, found 'x'");
  EXPECT_FALSE(parse_view("").ok());
  EXPECT_FALSE(parse_view(to_text(view) + "more").ok());
}

struct Case {
  std::string text;
  std::string error;
};

TEST(TopologyText, ErrorsNameLineProblemAndExpectation) {
  const Case cases[] = {
      {"", "the text is empty; it begins 'rondo topology 1'"},
      {"hello", "line 1: expected 'rondo', found 'hello'"},
      {"rondo topology 2", "line 1: expected '1', found '2'"},
      {start + "core 0", "line 2: expected 'machine' or 'network', found 'core'"},
      {start + "machine 1", "line 2: expected '0', found '1'"},
      {start + "machine 0 cores some", "line 2: expected 'unknown', found 'some'"},
      {start + "network ring",
       "expected unknown, flat, fat_tree, dragonfly or rail_optimised, found 'ring'"},
      {start + "network fat_tree rack uplink 0%", "expected a share such as 50%, found '0%'"},
      {machine + "dog 0", "line 3: expected 'machine', 'core', 'gpu'"},
      {machine + "core 1", "line 3: expected '0', found '1'"},
      {machine + "core 0 package x",
       "expected the package ('?' if unknown) as a number up to 16777216, found 'x'"},
      {machine + "core 0 package 0 numa 0 l3 0 l2 0 pus 3-1", "PUs such as 0-3,8 in rising order"},
      {machine + "core 0 package 0 numa 0 l3 0 l2 0 pus 0-2000000000", "up to 65535"},
      {machine + "core 0 package 0 numa 0 l3 0 l2 0 pus 0 more", "the end of the line"},
      {core + "core 1 package 0 numa 0 l3 0 l2 0 pus 1", "machine 0: PU 1 belongs to two cores"},
      {core + "gpu 0 names a,,b", "expected the names separated by ','"},
      {core + "gpu 0 " + gpu_fields + "pci_mbytes_per_s fast", "a rate ('?' if unknown)"},
      {core + "matrix a latency", "expected the objects of the matrix"},
      {core + "matrix a latency gpu", "expected an object such as gpu:3"},
      {core + "matrix a latency gpu:-1", "expected an object such as gpu:3"},
      {core + "matrix a latency core:0\n", "the text ends inside the matrix a"},
      {core + "matrix a latency core:0\nx", "expected 1 values of the matrix a, each as a number"},
      {core + "matrix a latency gpu:0\n1", "the matrix a names gpu:0, which the machine does not"},
      {core + "host 0 id a machine 1 groups ? uuids ?", "host 0 is of machine 1, but there are 1"},
      {core + "host 0 id a machine 0 groups 1 uuids ?", "in 1 groups, but the network has 0"},
      {core + "host 0 id a machine 0 groups x uuids ?", "expected groups such as 0/3"},
      {core + "host 0 id a machine 0 groups ? uuids a", "host 0 has 1 uuids for 0 GPUs"},
      {host + "rank 0 host 1 pus ? gpu ?", "rank 0 is on host 1, but there are 1"},
      {host + "rank 0 host 0 pus 7 gpu ?", "rank 0 runs on PU 7, which its host does not have"},
      {host + "rank 0 host 0 pus ? gpu 0", "rank 0 works with GPU 0, but its host has 0"},
      {machine + std::string(500, 'x'), "found '" + std::string(60, 'x') + "…'"},
  };
  for (const Case& example : cases) {
    const Result<Topology> parsed = parse_topology(example.text);
    ASSERT_FALSE(parsed.ok()) << example.text;
    EXPECT_EQ(parsed.error().code(), ErrorCode::invalid_argument);
    EXPECT_NE(parsed.error().text().find(example.error), std::string::npos)
        << "found:    " << parsed.error().text() << "\nexpected: " << example.error;
  }
  EXPECT_EQ(parse_machine("rondo machine 1\n").error().text(),
            "machine text: one machine is expected, not 0");
}

TEST(TopologyText, GarbageDoesNoHarm) {
  std::mt19937_64 random(20240301);
  const auto below = [&](std::size_t n) { return static_cast<std::size_t>(random() % n); };
  const std::string words[] = {"0",  "4294967295", "-1", "?", "machine 1 cores known devices known",
                               "\n", "rank",       "/",  ",", "gpu:3",
                               "-",  "host",       "%",  "#", "pus 0-65535"};
  std::vector<std::string> seeds;
  for (const char* description : descriptions) {
    seeds.push_back(to_text(synthetic_topology(description).value()));
    if (seeds.back().size() > 4000) seeds.pop_back();
  }
  ASSERT_FALSE(seeds.empty());
  int understood = 0;
  for (int round = 0; round < 5'000; ++round) {
    std::string text = seeds[below(seeds.size())];
    for (std::size_t edits = 1 + below(3); edits > 0 && !text.empty(); --edits) {
      const std::size_t at = below(text.size());
      switch (below(3)) {
        case 0:
          text[at] = static_cast<char>(random());
          break;
        case 1:
          text.insert(at, words[below(std::size(words))]);
          break;
        default:
          text.erase(at, 1 + below(20));
      }
    }
    const Result<Topology> parsed = parse_topology(text);
    if (!parsed) continue;
    ++understood;
    ASSERT_EQ(parse_topology(to_text(parsed.value())).value(), parsed.value()) << text;
    const Topology same = canonical(parsed.value());
    ASSERT_EQ(canonical(same), same);
    (void)draw_text(parsed.value());
    (void)to_json(parsed.value());
  }
  EXPECT_GT(understood, 100) << "the damage is too great to test anything";
}

}  // namespace
}  // namespace rondo::testing
