// Persistent collectives and shared memory, in C.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "abi/c_world.hpp"
#include "rondo/rondo.h"

namespace {

using c_world::allreduce_of;
using c_world::count;
using c_world::inputs;
using c_world::on_ranks;
using c_world::sums;
using testing::HasSubstr;

constexpr int ranks = 3;

TEST(CPersistent, StartsAgainAndAgain) {
  on_ranks(ranks, [](rondo_comm* comm, int rank) {
    std::vector<float> values(count);
    const rondo_call call = allreduce_of(values);
    rondo_plan plan = RONDO_PLAN_INIT;
    plan.algorithm = RONDO_RING;
    for (const bool is_planned : {false, true}) {
      rondo_persistent* sum = nullptr;
      ASSERT_EQ(rondo_persistent_init(comm, &call, is_planned ? &plan : nullptr, &sum), RONDO_OK);
      EXPECT_EQ(rondo_persistent_wait(sum), RONDO_OK);  // nothing was started
      for (int turn = 0; turn < 3; ++turn) {
        std::ranges::copy(inputs(rank), values.begin());
        ASSERT_EQ(rondo_persistent_start(sum), RONDO_OK);
        EXPECT_EQ(rondo_persistent_start(sum), RONDO_INVALID_ARGUMENT);
        EXPECT_THAT(rondo_last_error(comm), HasSubstr("was not waited for"));
        if (turn == 1) {
          std::int32_t done = 0;
          while (done == 0) ASSERT_EQ(rondo_persistent_test(sum, &done), RONDO_OK);
        } else {
          EXPECT_EQ(rondo_persistent_wait(sum), RONDO_OK);
        }
        EXPECT_EQ(values, sums(ranks));
      }
      rondo_persistent_free(sum);
    }
  });
}

TEST(CPersistent, MayOutliveItsCommunicator) {
  std::vector<rondo_comm*> comms(1);
  ASSERT_EQ(rondo_comm_local(1, nullptr, comms.data()), RONDO_OK);
  std::vector<float> values(count);
  const rondo_call call = allreduce_of(values);
  rondo_persistent* sum = nullptr;
  ASSERT_EQ(rondo_persistent_init(comms[0], &call, nullptr, &sum), RONDO_OK);
  rondo_comm_free(comms[0]);
  EXPECT_EQ(rondo_persistent_start(sum), RONDO_INVALID_ARGUMENT);
  rondo_persistent_free(sum);
}

TEST(CPersistent, RefusesNullPointersAndCallsThatMakeNoSense) {
  on_ranks(1, [](rondo_comm* comm, int) {
    std::vector<float> values(count);
    rondo_call call = allreduce_of(values);
    rondo_persistent* sum = nullptr;
    std::int32_t done = 0;
    EXPECT_EQ(rondo_persistent_init(nullptr, &call, nullptr, &sum), RONDO_INVALID_ARGUMENT);
    EXPECT_EQ(rondo_persistent_init(comm, nullptr, nullptr, &sum), RONDO_INVALID_ARGUMENT);
    EXPECT_EQ(rondo_persistent_init(comm, &call, nullptr, nullptr), RONDO_INVALID_ARGUMENT);
    call.dtype = 99;
    EXPECT_EQ(rondo_persistent_init(comm, &call, nullptr, &sum), RONDO_INVALID_ARGUMENT);
    EXPECT_EQ(sum, nullptr);
    EXPECT_EQ(rondo_persistent_start(nullptr), RONDO_INVALID_ARGUMENT);
    EXPECT_EQ(rondo_persistent_wait(nullptr), RONDO_INVALID_ARGUMENT);
    EXPECT_EQ(rondo_persistent_test(nullptr, &done), RONDO_INVALID_ARGUMENT);
    rondo_persistent_free(nullptr);
  });
}

TEST(CMemory, IsZeroedUsableInCallsAndGivenBack) {
  on_ranks(2, [](rondo_comm* comm, int rank) {
    void* memory = nullptr;
    ASSERT_EQ(rondo_allocate(count * sizeof(float), &memory), RONDO_OK);
    auto* const values = static_cast<float*>(memory);
    EXPECT_TRUE(std::all_of(values, values + count, [](float value) { return value == 0; }));
    std::ranges::copy(inputs(rank), values);
    EXPECT_EQ(rondo_allreduce(comm, RONDO_IN_PLACE, values, count, RONDO_F32, RONDO_SUM), RONDO_OK);
    EXPECT_EQ(std::vector<float>(values, values + count), sums(2));
    rondo_deallocate(memory);
  });
  rondo_deallocate(nullptr);
  EXPECT_EQ(rondo_allocate(1, nullptr), RONDO_INVALID_ARGUMENT);
}

TEST(CMemory, OfTheProgramIsRegisteredAndKeepsItsValues) {
  on_ranks(2, [](rondo_comm* comm, int rank) {
    constexpr std::size_t large = 100'000;
    std::vector<float> values(large, static_cast<float>(rank + 1));
    ASSERT_EQ(rondo_register_memory(values.data(), large * sizeof(float)), RONDO_OK);
    EXPECT_EQ(rondo_register_memory(values.data(), large), RONDO_INVALID_ARGUMENT);
    EXPECT_NE(std::string(rondo_last_error(nullptr)).find("registered already"), std::string::npos);
    EXPECT_EQ(rondo_allreduce(comm, RONDO_IN_PLACE, values.data(), large, RONDO_F32, RONDO_SUM),
              RONDO_OK);
    EXPECT_EQ(rondo_deregister_memory(values.data()), RONDO_OK);
    EXPECT_EQ(values, std::vector<float>(large, 3));
    EXPECT_EQ(rondo_deregister_memory(values.data()), RONDO_INVALID_ARGUMENT);
  });
  EXPECT_EQ(rondo_register_memory(nullptr, 1), RONDO_INVALID_ARGUMENT);
}

}  // namespace
