#include "plan/device_plan.hpp"

#include <gtest/gtest.h>

namespace rondo::testing {
namespace {

constexpr std::size_t few = 100;
constexpr std::size_t many = 16 << 20;

TEST(DevicePlan, IsASoundScheduleWhereverThereIsOne) {
  int plans = 0;
  for (int number = 0; number < collective_count; ++number) {
    const auto collective = static_cast<Collective>(number);
    if (!has_device_plan(collective)) continue;
    for (const int ranks : {1, 2, 3, 8, most_device_ranks}) {
      for (const std::size_t bytes : {few, many}) {
        for (const bool shares_device : {false, true}) {
          const Plan plan = device_plan(collective, ranks, 0, bytes, shares_device);
          const Result<Schedule> schedule = make_schedule(plan);
          ASSERT_TRUE(schedule) << name(collective) << " among " << ranks;
          EXPECT_TRUE(verify(schedule.value())) << name(collective) << " among " << ranks;
          ++plans;
        }
      }
    }
  }
  EXPECT_EQ(plans, 6 * 5 * 4);
}

TEST(DevicePlan, LeavesTheRootsWayOutToAllWhereItIsShort) {
  const auto algorithm = [](std::size_t bytes, bool shares_device) {
    return device_plan(Collective::broadcast, 4, 1, bytes, shares_device).algorithm;
  };
  EXPECT_EQ(algorithm(many, false), Algorithm::scatter_allgather);
  EXPECT_EQ(algorithm(few, false), Algorithm::knomial);
  EXPECT_EQ(algorithm(many, true), Algorithm::knomial);
}

TEST(DevicePlan, KernelsWaitUnlessProcessesShareADevice) {
  EXPECT_EQ(ordering_for(true, true), Ordering::kernels);
  EXPECT_EQ(ordering_for(true, false), Ordering::kernels);
  EXPECT_EQ(ordering_for(false, false), Ordering::kernels);
  EXPECT_EQ(ordering_for(false, true), Ordering::streams);
}

TEST(DevicePlan, OrderingsHaveNames) {
  for (const std::string_view text : known_orderings) EXPECT_EQ(name(parse_ordering(text)), text);
  EXPECT_EQ(parse_ordering("kernels"), Ordering::kernels);
  EXPECT_EQ(parse_ordering("streams"), Ordering::streams);
}

}  // namespace
}  // namespace rondo::testing
