// What carries data between hosts: localities are made up, so that threads are ranks of two hosts.

#include "api/choose_far.hpp"

#include <gtest/gtest.h>

#include <array>
#include <thread>
#include <vector>

#include "harness/out_of_band.hpp"
#include "harness/threads_fabric.hpp"
#include "transport/route/make.hpp"
#include "transport/shm/door.hpp"

namespace rondo {
namespace {

using process::Member;
using process::Membership;
using testing::ThreadsAllgather;
using testing::ThreadsFabric;

constexpr int ranks = 4;

std::vector<Membership> two_hosts() {
  std::vector<Membership> all(ranks);
  for (int rank = 0; rank < ranks; ++rank) {
    Membership& own = all[static_cast<std::size_t>(rank)];
    own.rank = rank;
    own.listener = process::listen_on("127.0.0.1", 0).value();
    const process::Address address = process::local_address(own.listener).value();
    process::Door door = process::open_door().value();
    own.door = std::move(door.listener);
    const std::uint64_t host = process::locality() + (rank < 2 ? 0u : 1u);
    for (Membership& each : all) {
      each.members.push_back({address.host, address.port, "here", rank, host, door.id});
    }
  }
  return all;
}

// The transport that each rank is left with.
std::vector<std::string> names_after_choice(const std::vector<ThreadsFabric::Fault>& faults) {
  std::vector<Membership> all = two_hosts();
  const auto table = std::make_shared<ThreadsFabric::Table>();
  ThreadsAllgather allgather(ranks);
  std::vector<std::string> names(ranks);
  std::vector<std::jthread> threads;
  for (int rank = 0; rank < ranks; ++rank) {
    threads.emplace_back([&, rank] {
      const auto index = static_cast<std::size_t>(rank);
      OutOfBand outside = allgather.of(rank);
      outside.fabric = std::make_shared<ThreadsFabric>(table, rank, faults[index]);
      all[index].fabric = outside.fabric;
      const auto pair = far_pair(all[index].members);
      const auto deadline = Transport::Clock::now() + std::chrono::seconds(30);
      const auto world = process::make_transport(std::move(all[index]), deadline).value();
      const auto better = choose_far(*world, outside, pair.value(), false);
      names[index] = better ? better->name() : world->name();
    });
  }
  threads.clear();
  return names;
}

TEST(ChooseFar, ThePairSharesNoMemory) {
  const std::vector<Membership> all = two_hosts();
  EXPECT_EQ(far_pair(all[0].members), std::pair(0, 2));
  const std::vector<Member> one_host = {all[0].members[0], all[0].members[1]};
  EXPECT_EQ(far_pair(one_host), std::nullopt);
  std::vector<Member> unknown = one_host;
  unknown[1].locality = 0;
  EXPECT_EQ(far_pair(unknown), std::pair(0, 1));
}

TEST(ChooseFar, ANetworkThatAllMayUseIsMeasuredAndAllChooseAlike) {
  const std::vector<std::string> names =
      names_after_choice(std::vector(ranks, ThreadsFabric::Fault::none));
  for (const std::string& name : names) EXPECT_EQ(name, names[0]);
  EXPECT_TRUE(names[0] == "shm+tcp" || names[0] == "shm+threads") << names[0];
}

TEST(ChooseFar, WhereOneRankMayNotUseTheNetworkAllUseTcp) {
  std::vector faults(ranks, ThreadsFabric::Fault::none);
  faults[3] = ThreadsFabric::Fault::refuses_threads;
  EXPECT_EQ(names_after_choice(faults), std::vector<std::string>(ranks, "shm+tcp"));
}

TEST(ChooseFar, ANetworkThatFailsIsNotUsed) {
  for (const std::size_t broken : {0u, 2u}) {
    std::vector faults(ranks, ThreadsFabric::Fault::none);
    faults[broken] = ThreadsFabric::Fault::loses_its_way;
    EXPECT_EQ(names_after_choice(faults), std::vector<std::string>(ranks, "shm+tcp"));
  }
}

TEST(ChooseFar, TheProductOfTheRatiosDecides) {
  const std::array<double, 3> even = {1, 1, 1};
  EXPECT_FALSE(is_faster(even, even));
  EXPECT_TRUE(is_faster(std::array<double, 3>{0.2, 1, 4}, even));
  EXPECT_FALSE(is_faster(std::array<double, 3>{0.3, 1, 4}, even));
}

}  // namespace
}  // namespace rondo
