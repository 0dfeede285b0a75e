// Worlds of several places: shared memory where it may reach, TCP between the others.

#include <gtest/gtest.h>

#include "transport/process_world.hpp"

namespace rondo::process {
namespace {

// Ranks of the same place may share memory.
Transports world_of(const std::vector<std::uint64_t>& places) {
  const int ranks = static_cast<int>(places.size());
  std::vector<Membership> all = memberships(ranks, Medium::automatic);
  Transports world(places.size());
  for (Membership& membership : all) {
    for (std::size_t rank = 0; rank < places.size(); ++rank) {
      membership.members[rank].locality = places[rank];
    }
  }
  on_all_ranks(ranks, [&](int rank) {
    const auto index = static_cast<std::size_t>(rank);
    auto made = make_transport(std::move(all[index]), Transport::Clock::now() + patience);
    ASSERT_TRUE(made.ok()) << made.error().text();
    world[index] = std::move(made).value();
    const auto error = exchange(*world[index], 1, allreduce_of(1), 100'000);
    EXPECT_FALSE(error) << error->text();
  });
  return world;
}

// A rank that is alone in its place, too: plans depend on the name.
TEST(Route, AllRanksGiveItTheSameName) {
  const auto names = [](const std::vector<std::uint64_t>& places) {
    std::vector<std::string_view> found;
    for (const auto& transport : world_of(places)) found.push_back(transport->name());
    return found;
  };
  using Names = std::vector<std::string_view>;
  EXPECT_EQ(names({7, 7, 7}), Names(3, "shm"));
  EXPECT_EQ(names({7, 7, 8}), Names(3, "shm+tcp"));
  EXPECT_EQ(names({7, 8, 7, 8}), Names(4, "shm+tcp"));
  EXPECT_EQ(names({7, 8, 9}), Names(3, "tcp"));
  EXPECT_EQ(names({0, 0}), Names(2, "tcp"));
}

TEST(Route, APartMayHaveAnotherName) {
  const Transports world = world_of({7, 7, 8});
  on_all_ranks(3, [&](int rank) {
    if (rank == 2) return;
    const std::vector<int> members = {0, 1};
    const auto part = world[static_cast<std::size_t>(rank)]->split(members, 5);
    ASSERT_TRUE(part.ok()) << part.error().text();
    EXPECT_EQ(part.value()->name(), "shm");
    const auto error = exchange(*part.value(), 1, allreduce_of(1), 1000);
    EXPECT_FALSE(error) << error->text();
  });
}

}  // namespace
}  // namespace rondo::process
