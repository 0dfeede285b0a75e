// The topology of a world: found out, shared, agreed on, split, or taken from a file.

#include <gmock/gmock.h>

#include "api/exchange.hpp"
#include "api/world_topology.hpp"
#include "harness/folder.hpp"
#include "harness/transports.hpp"
#include "harness/world.hpp"
#include "rondo/topology.hpp"

namespace rondo {
namespace {

using testing::error_of;
using testing::Folder;
using ::testing::HasSubstr;
using testing::on_threads;
using testing::on_world;

// Keeps what is found out in a folder of the test's own.
class WorldTopology : public ::testing::TestWithParam<const char*> {
 protected:
  WorldTopology() { ::setenv("RONDO_CACHE_DIR", cache_.path().c_str(), 1); }

  // Each rank with an Exchange over the transport.
  static void on_exchanges(int ranks, const std::function<void(Exchange&)>& body) {
    auto world = testing::make_world(GetParam(), ranks);
    on_threads(ranks, [&](int rank) {
      PlanCache plans(rank);
      Engine engine(std::move(world[static_cast<std::size_t>(rank)]), false);
      Exchange exchange(engine, plans, std::chrono::seconds(30));
      body(exchange);
    });
  }

  Folder cache_;
};
using LocalTopology = WorldTopology;
INSTANTIATE_TEST_SUITE_P(Over, WorldTopology, ::testing::Values("inproc", "shm", "tcp"));

// What rank r of a made-up world sees: its own host and itself.
Topology view_of(const Topology& world, int rank) {
  const std::vector<int> self = {rank};
  return subset(world, self);
}

Topology made_up(std::string_view words) {
  Topology world = synthetic_topology(words).value();
  world.network = {};
  for (std::size_t i = 0; i < world.hosts.size(); ++i) {
    world.hosts[i].id = "host" + std::to_string(i);
    world.hosts[i].groups.clear();
  }
  return canonical(std::move(world));
}

TEST_P(WorldTopology, AllRanksLearnTheWholeWorld) {
  // Machines of two kinds: the last host has more cores.
  Topology world = made_up("3 hosts x 2 cores, 2 nics");
  Topology other = made_up("1 hosts x 2 packages x 3 cores, 1 ranks");
  world.machines.push_back(other.machines[0]);
  world.hosts[2].machine = 1;
  for (Rank& rank : world.ranks) {
    if (rank.host == 2) rank.pus = {3};
  }
  world = canonical(std::move(world));
  ASSERT_EQ(world.machines.size(), 2u);
  on_exchanges(static_cast<int>(world.ranks.size()), [&](Exchange& exchange) {
    const auto shared = share_topology(exchange, view_of(world, exchange.rank()));
    ASSERT_TRUE(shared.ok()) << shared.error().what();
    EXPECT_EQ(shared.value(), world);
  });
}

TEST_P(WorldTopology, RanksOfOneProcessAreOnOneHost) {
  on_exchanges(3, [&](Exchange& exchange) {
    const auto shared = share_topology(exchange, own_topology());
    ASSERT_TRUE(shared.ok()) << shared.error().what();
    EXPECT_EQ(shared.value(), local_topology(3));
  });
}

TEST_P(WorldTopology, ADifferenceIsAnErrorOnAllRanks) {
  on_exchanges(3, [&](Exchange& exchange) {
    const char* words = exchange.rank() == 2 ? "1 hosts x 4 cores" : "1 hosts x 3 cores";
    const Result<> agreed = agree_on_topology(exchange, synthetic_topology(words).value());
    ASSERT_FALSE(agreed.ok());
    EXPECT_EQ(agreed.error().code(), ErrorCode::mismatch);
    EXPECT_EQ(agreed.error().peer(), 2);
    EXPECT_THAT(agreed.error().text(), HasSubstr("rank 2 has another topology"));
  });
}

TEST_F(LocalTopology, EveryRankHasTheProcesssPlace) {
  on_world(3, {}, [](Communicator& comm) {
    const Topology& topology = comm.topology();
    ASSERT_EQ(topology.ranks.size(), 3u);
    EXPECT_EQ(topology.hosts.size(), 1u);
    EXPECT_EQ(topology, local_topology(3));
    EXPECT_FALSE(topology.ranks[0].pus.empty());
    EXPECT_EQ(topology.ranks[0], topology.ranks[2]);
  });
}

TEST_F(LocalTopology, WhatWasSeenIsKept) {
  // Other tests of this process may have looked before; a process looks once.
  EXPECT_EQ(own_topology(), own_topology());
  const auto kept = cache_.names("machine-");
  for (const std::string& name : kept) {
    EXPECT_TRUE(parse_topology(cache_.read(name)).ok()) << name;
  }
}

TEST_F(LocalTopology, SplitTakesAPart) {
  const std::string file =
      cache_.write("world", to_text(synthetic_topology("2 hosts x 2 packages x 1 cores").value()));
  on_world(4, {.topology = file}, [](Communicator& comm) {
    const Communicator part = comm.split(comm.rank() / 2, -comm.rank());
    const Topology& topology = part.topology();
    ASSERT_EQ(topology.ranks.size(), 2u);
    EXPECT_EQ(topology.hosts.size(), 1u);
    // By falling ranks: the new rank 0 was on the second core.
    const auto& whole = comm.topology().ranks;
    const auto first = static_cast<std::size_t>(comm.rank() / 2 * 2);
    EXPECT_EQ(topology.ranks[0].pus, whole[first + 1].pus);
    EXPECT_EQ(topology.ranks[1].pus, whole[first].pus);
    Communicator none = comm.split(-1, 0);
    EXPECT_THAT(error_of([&] { (void)none.topology(); }).text(), HasSubstr("empty"));
  });
}

TEST_F(LocalTopology, AFileIsForSoManyRanks) {
  const std::string file =
      cache_.write("world", to_text(synthetic_topology("1 hosts x 4 cores").value()));
  const Error error = error_of([&] { Communicator::local(3, {.topology = file}); });
  EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
  EXPECT_EQ(error.text(), "RONDO_TOPOLOGY=" + file +
                              ": the topology is of 4 ranks, but this world has 3; describe all of "
                              "its ranks, or leave RONDO_TOPOLOGY out");
}

TEST_F(LocalTopology, BrokenAndMissingFilesAreNamed) {
  const std::string broken = cache_.write("broken", "rondo topology 1\nmachine one\n");
  EXPECT_THAT(error_of([&] { Communicator::local(1, {.topology = broken}); }).text(),
              HasSubstr("RONDO_TOPOLOGY=" + broken + ": topology text: line 2: expected '0'"));
  const Error missing =
      error_of([&] { Communicator::local(1, {.topology = cache_.path("missing")}); });
  EXPECT_EQ(missing.code(), ErrorCode::io);
  EXPECT_THAT(missing.text(), HasSubstr("No such file"));
}

}  // namespace
}  // namespace rondo
