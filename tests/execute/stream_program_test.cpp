// Stream programs carried out on plain memory, in the orders that streams could take.

#include "execute/device/stream_program.hpp"

#include <gtest/gtest.h>

#include "base/text.hpp"
#include "execute/stream_world.hpp"

namespace rondo::test {
namespace {

void check_all_orders(const Plan& plan, std::size_t count, bool in_place) {
  SCOPED_TRACE(concat(name(plan.algorithm), " ", name(plan.collective), " of ", count, " among ",
                      plan.ranks, in_place ? " in place" : "", ", root ", plan.root));
  for (int first = 0; first < plan.ranks; ++first) {
    for (const bool greedy : {false, true}) {
      World world(plan, count, in_place);
      world.run(static_cast<std::size_t>(first), greedy);
      world.check();
    }
  }
}

TEST(StreamProgram, GivesTheResultOfEveryAlgorithmInAllOrders) {
  int tried = 0;
  for (const int ranks : {1, 2, 3, 4, 5, 7, 8}) {
    for (const Plan& plan : plans_of_devices(ranks)) {
      for (const std::size_t count : {1, 3, 40}) {
        for (const bool in_place : {false, true}) check_all_orders(plan, count, in_place);
      }
      ++tried;
      if (testing::Test::HasFailure()) return;
    }
  }
  EXPECT_GT(tried, 100);
}

TEST(StreamProgram, SumsTwoShotInOneStepThatWaitsForNobody) {
  for (const bool in_place : {false, true}) {
    const World world({Algorithm::two_shot, Collective::allreduce, 4}, 40, in_place);
    EXPECT_EQ(world.steps(), 1u);
    EXPECT_EQ(world.waits(), 0u);
    EXPECT_EQ(world.scratch(), 0u);
    const Move& move = world.program(2).steps[0].moves[0];
    EXPECT_EQ(move.sources.size(), 4u);
    EXPECT_EQ(move.destinations.size(), 4u);
    EXPECT_EQ(move.count, 10u);
    for (std::size_t r = 0; r < 4; ++r) EXPECT_EQ(move.sources[r].rank, static_cast<int>(r));
  }
}

TEST(StreamProgram, CopiesFirstWhatWouldBeOverwritten) {
  const Plan plan{Algorithm::one_shot, Collective::allreduce, 3};
  EXPECT_EQ(World(plan, 40, false).scratch(), 0u);
  EXPECT_EQ(World(plan, 40, false).waits(), 0u);
  EXPECT_GT(World(plan, 40, true).scratch(), 0u);
  EXPECT_GT(World(plan, 40, true).waits(), 0u);
}

TEST(StreamProgram, CopiesSideBySideInOneStep) {
  const World world({Algorithm::one_shot, Collective::alltoall, 4}, 40, false);
  EXPECT_EQ(world.steps(), 1u);
  EXPECT_EQ(world.program(0).steps[0].moves.size(), 4u);
}

TEST(StreamProgram, LeavesOutWhatIsEmpty) {
  const World world({Algorithm::two_shot, Collective::allreduce, 4}, 1, false);
  EXPECT_EQ(world.program(0).steps.size() + world.program(3).steps.size(), 1u);
}

}  // namespace
}  // namespace rondo::test
