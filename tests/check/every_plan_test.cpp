// Every generator, every collective, 1 to 256 ranks: proved.

#include "every_plan.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <thread>

namespace rondo::testing {
namespace {

constexpr int most_ranks = 256;

TEST(EveryPlan, IsProvedForUpTo256Ranks) {
  std::atomic<int> next = most_ranks;
  std::mutex mutex;
  const auto work = [&] {
    for (int ranks = next--; ranks > 0; ranks = next--) {
      for (const Plan& plan : every_plan(ranks)) {
        const Result<Proof> proof = verify(make_schedule(plan).value());
        if (proof) continue;
        const std::lock_guard lock(mutex);
        ADD_FAILURE() << name(plan.algorithm) << " " << name(plan.collective) << " of " << ranks
                      << " ranks, root " << plan.root << ", radix " << plan.radix << ": "
                      << proof.error().what();
      }
    }
  };
  std::jthread other(work);
  work();
}

TEST(EveryPlan, LargeTreesAreProvedToo) {
  for (const Algorithm algorithm : {Algorithm::double_tree, Algorithm::knomial}) {
    for (const int ranks : {65'535, 65'536}) {
      const Plan plan{algorithm, Collective::allreduce, ranks, 0, 2};
      const Result<Proof> proof = verify(make_schedule(plan).value());
      EXPECT_TRUE(proof.ok()) << (proof ? "" : proof.error().what());
    }
  }
}

TEST(EveryPlan, ContributionsAreSummedInAsManyOrdersAsKnown) {
  const auto orders = [](Algorithm algorithm, Collective collective) {
    return verify(make_schedule({algorithm, collective, 8, 0, 2}).value()).value().orders;
  };
  EXPECT_EQ(orders(Algorithm::ring, Collective::allreduce), 8u);  // each segment starts elsewhere
  EXPECT_EQ(orders(Algorithm::double_tree, Collective::allreduce), 2u);
  EXPECT_EQ(orders(Algorithm::one_shot, Collective::allreduce), 1u);
  EXPECT_EQ(orders(Algorithm::two_shot, Collective::allreduce), 1u);
  EXPECT_EQ(orders(Algorithm::knomial, Collective::allreduce), 1u);
  EXPECT_EQ(orders(Algorithm::ring, Collective::allgather), 0u);  // nothing is summed
}

}  // namespace
}  // namespace rondo::testing
