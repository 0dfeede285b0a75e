// The C functions, called through the shared library: results, in place, errors and ownership.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include "abi/c_world.hpp"
#include "harness/out_of_band.hpp"
#include "rondo/rondo.h"

namespace {

using c_world::count;
using c_world::input;
using c_world::inputs;
using c_world::on_ranks;
using c_world::sum;
using c_world::sums;
using testing::Each;
using testing::HasSubstr;

TEST(CAbi, AllreduceInAndOutOfPlace) {
  for (int ranks = 1; ranks <= 4; ++ranks) {
    on_ranks(ranks, [ranks](rondo_comm* comm, int rank) {
      const std::vector<float> send = inputs(rank);
      std::vector<float> receive(count);
      EXPECT_EQ(rondo_allreduce(comm, send.data(), receive.data(), count, RONDO_F32, RONDO_SUM),
                RONDO_OK);
      EXPECT_EQ(receive, sums(ranks));
      std::vector<float> same = send;
      EXPECT_EQ(rondo_allreduce(comm, same.data(), same.data(), count, RONDO_F32, RONDO_SUM),
                RONDO_OK);
      EXPECT_EQ(same, sums(ranks));
      std::vector<float> marked = send;
      EXPECT_EQ(rondo_allreduce(comm, RONDO_IN_PLACE, marked.data(), count, RONDO_F32, RONDO_SUM),
                RONDO_OK);
      EXPECT_EQ(marked, sums(ranks));
      EXPECT_STREQ(rondo_last_error(comm), "");
    });
  }
}

TEST(CAbi, BroadcastAndReduceFromAndToEveryRoot) {
  constexpr int ranks = 3;
  on_ranks(ranks, [](rondo_comm* comm, int rank) {
    for (int root = 0; root < ranks; ++root) {
      std::vector<float> values = inputs(rank);
      EXPECT_EQ(rondo_broadcast(comm, values.data(), count, RONDO_F32, root), RONDO_OK);
      EXPECT_EQ(values, inputs(root));

      values = inputs(rank);
      float* const receive = rank == root ? values.data() : nullptr;
      const void* const send = rank == root ? RONDO_IN_PLACE : values.data();
      EXPECT_EQ(rondo_reduce(comm, send, receive, count, RONDO_F32, RONDO_SUM, root), RONDO_OK);
      EXPECT_EQ(values, rank == root ? sums(ranks) : inputs(rank));
    }
  });
}

TEST(CAbi, BitwiseAndLogicalReductions) {
  on_ranks(3, [](rondo_comm* comm, int rank) {
    const std::uint16_t bits = static_cast<std::uint16_t>(0x5500 | 1 << rank);
    const std::map<rondo_op, std::uint16_t> expected = {{RONDO_BAND, 0x5500}, {RONDO_BOR, 0x5507},
                                                        {RONDO_BXOR, 0x5507}, {RONDO_LAND, 1},
                                                        {RONDO_LOR, 1},       {RONDO_LXOR, 1}};
    for (const auto& [op, result] : expected) {
      std::uint16_t got = 0;
      EXPECT_EQ(rondo_allreduce(comm, &bits, &got, 1, RONDO_U16, op), RONDO_OK);
      EXPECT_EQ(got, result) << op;
    }
    float value = 1;
    EXPECT_EQ(rondo_allreduce(comm, &value, &value, 1, RONDO_F32, RONDO_LOR),
              RONDO_INVALID_ARGUMENT);
    EXPECT_THAT(rondo_last_error(comm), HasSubstr("integers only"));
  });
}

TEST(CAbi, AllgatherInAndOutOfPlace) {
  constexpr int ranks = 3;
  on_ranks(ranks, [](rondo_comm* comm, int rank) {
    std::vector<float> everyone;
    for (int other = 0; other < ranks; ++other) {
      const std::vector<float> block = inputs(other);
      everyone.insert(everyone.end(), block.begin(), block.end());
    }
    std::vector<float> mine = inputs(rank);
    std::vector<float> receive(ranks * count);
    EXPECT_EQ(rondo_allgather(comm, mine.data(), receive.data(), count, RONDO_F32), RONDO_OK);
    EXPECT_EQ(receive, everyone);

    std::vector<float> in_place(ranks * count);
    std::copy(mine.begin(), mine.end(), in_place.begin() + rank * static_cast<int>(count));
    EXPECT_EQ(rondo_allgather(comm, RONDO_IN_PLACE, in_place.data(), count, RONDO_F32), RONDO_OK);
    EXPECT_EQ(in_place, everyone);
  });
}

TEST(CAbi, ReduceScatterInAndOutOfPlace) {
  constexpr int ranks = 3;
  on_ranks(ranks, [](rondo_comm* comm, int rank) {
    const std::size_t own = static_cast<std::size_t>(rank) * count;
    std::vector<float> send = inputs(rank, ranks * count);
    std::vector<float> receive(count);
    EXPECT_EQ(rondo_reduce_scatter(comm, send.data(), receive.data(), count, RONDO_F32, RONDO_SUM),
              RONDO_OK);
    EXPECT_EQ(receive, sums(ranks, own));
    EXPECT_EQ(
        rondo_reduce_scatter(comm, send.data(), send.data() + own, count, RONDO_F32, RONDO_SUM),
        RONDO_OK);
    EXPECT_EQ(std::vector<float>(send.begin() + static_cast<int>(own),
                                 send.begin() + static_cast<int>(own + count)),
              sums(ranks, own));
    EXPECT_EQ(
        rondo_reduce_scatter(comm, RONDO_IN_PLACE, receive.data(), count, RONDO_F32, RONDO_SUM),
        RONDO_INVALID_ARGUMENT);
    EXPECT_THAT(rondo_last_error(comm), HasSubstr("RONDO_IN_PLACE"));
  });
}

TEST(CAbi, NonblockingCallsEndInOrder) {
  constexpr int ranks = 3;
  on_ranks(ranks, [](rondo_comm* comm, int rank) {
    std::vector<float> added = inputs(rank);
    std::vector<float> shared = inputs(rank);
    std::vector<float> gathered(ranks);
    std::vector<float> block(1);
    std::vector<float> reduced = inputs(rank);
    const float mine = input(rank, 0);
    std::vector<rondo_work*> works(6);
    EXPECT_EQ(rondo_iallreduce(comm, RONDO_IN_PLACE, added.data(), count, RONDO_F32, RONDO_SUM,
                               &works[0]),
              RONDO_OK);
    EXPECT_EQ(rondo_ibroadcast(comm, shared.data(), count, RONDO_F32, 1, &works[1]), RONDO_OK);
    EXPECT_EQ(rondo_iallgather(comm, &mine, gathered.data(), 1, RONDO_F32, &works[2]), RONDO_OK);
    const std::vector<float> vector = inputs(rank, ranks);
    EXPECT_EQ(rondo_ireduce_scatter(comm, vector.data(), block.data(), 1, RONDO_F32, RONDO_SUM,
                                    &works[3]),
              RONDO_OK);
    EXPECT_EQ(rondo_ireduce(comm, reduced.data(), reduced.data(), count, RONDO_F32, RONDO_SUM, 0,
                            &works[4]),
              RONDO_OK);
    EXPECT_EQ(rondo_ibarrier(comm, &works[5]), RONDO_OK);

    EXPECT_EQ(rondo_work_wait(works[5]), RONDO_OK);
    for (rondo_work* work : works) {
      std::int32_t done = 0;
      EXPECT_EQ(rondo_work_test(work, &done), RONDO_OK);
      EXPECT_EQ(done, 1);
      rondo_work_free(work);
    }
    EXPECT_EQ(added, sums(ranks));
    EXPECT_EQ(shared, inputs(1));
    EXPECT_EQ(gathered, (std::vector<float>{input(0, 0), input(1, 0), input(2, 0)}));
    EXPECT_EQ(block[0], sum(ranks, static_cast<std::size_t>(rank)));
    EXPECT_EQ(reduced, rank == 0 ? sums(ranks) : inputs(rank));
  });
}

TEST(CAbi, AWorkOutlivesItsCommunicator) {
  rondo_comm* comm = nullptr;
  ASSERT_EQ(rondo_comm_local(1, nullptr, &comm), RONDO_OK);
  rondo_work* work = nullptr;
  ASSERT_EQ(rondo_ibarrier(comm, &work), RONDO_OK);
  rondo_comm_free(comm);
  EXPECT_EQ(rondo_work_wait(work), RONDO_OK);
  rondo_work_free(work);
}

TEST(CAbi, AWorkCanBeAwaitedForAWhile) {
  rondo_comm* comms[2] = {};
  ASSERT_EQ(rondo_comm_local(2, nullptr, comms), RONDO_OK);
  rondo_work* works[2] = {};
  std::int32_t done = -1;
  ASSERT_EQ(rondo_ibarrier(comms[0], &works[0]), RONDO_OK);
  EXPECT_EQ(rondo_work_wait_for(works[0], 1, &done), RONDO_OK);
  EXPECT_EQ(done, 0) << "the other rank has not called";
  EXPECT_EQ(rondo_comm_status(comms[0]), RONDO_OK);
  EXPECT_EQ(rondo_comm_abort(comms[1], "enough"), RONDO_OK);
  EXPECT_EQ(rondo_work_wait_for(works[0], 60'000, &done), RONDO_ABORTED);
  EXPECT_EQ(done, 1);
  EXPECT_EQ(rondo_comm_status(comms[0]), RONDO_ABORTED);
  EXPECT_THAT(rondo_last_error(comms[0]), HasSubstr("enough"));
  rondo_work_free(works[0]);
  for (rondo_comm* comm : comms) rondo_comm_free(comm);
}

TEST(CAbi, SplitAndDuplicate) {
  on_ranks(4, [](rondo_comm* comm, int rank) {
    rondo_comm* child = nullptr;
    ASSERT_EQ(rondo_comm_split(comm, rank == 3 ? -1 : 0, -rank, &child), RONDO_OK);
    if (rank == 3) {
      EXPECT_EQ(child, nullptr);
    } else {
      EXPECT_EQ(rondo_comm_rank(child), 2 - rank);
      EXPECT_EQ(rondo_comm_size(child), 3);
      EXPECT_EQ(rondo_barrier(child), RONDO_OK);
    }
    rondo_comm* copy = nullptr;
    ASSERT_EQ(rondo_comm_duplicate(comm, &copy), RONDO_OK);
    EXPECT_EQ(rondo_comm_rank(copy), rank);
    EXPECT_EQ(rondo_barrier(copy), RONDO_OK);
    rondo_comm_free(copy);
    rondo_comm_free(child);
  });
}

// What rondo_comm_join is given: threads that share one table.
struct Allgather {
  rondo::testing::ThreadsAllgather& table;
  int rank;
  static std::int32_t run(void* user, const void* mine, void* all, std::size_t bytes) {
    const auto* own = static_cast<const Allgather*>(user);
    const rondo::OutOfBand means = own->table.of(own->rank);
    means.allgather({static_cast<const std::byte*>(mine), bytes},
                    {static_cast<std::byte*>(all), bytes * static_cast<std::size_t>(means.size)});
    return 0;
  }
};

TEST(CAbi, JoinAndSubgroup) {
  rondo::testing::ThreadsAllgather table(3);
  std::vector<std::jthread> threads;
  for (int rank = 0; rank < 3; ++rank) {
    threads.emplace_back([&table, rank] {
      Allgather own{table, rank};
      rondo_comm* comm = nullptr;
      ASSERT_EQ(rondo_comm_join(rank, 3, Allgather::run, &own, nullptr, &comm), RONDO_OK)
          << rondo_last_error(nullptr);
      EXPECT_EQ(rondo_comm_rank(comm), rank);
      EXPECT_EQ(rondo_comm_size(comm), 3);
      EXPECT_EQ(rondo_barrier(comm), RONDO_OK);
      rondo_comm* pair = nullptr;
      const std::int32_t members[] = {2, 0};
      const rondo_status status = rondo_comm_subgroup(comm, members, 2, 5, &pair);
      EXPECT_EQ(status, rank == 1 ? RONDO_INVALID_ARGUMENT : RONDO_OK);
      if (rank == 1) {
        EXPECT_THAT(rondo_last_error(nullptr), HasSubstr("none of the members"));
        EXPECT_EQ(pair, nullptr);
      } else {
        EXPECT_EQ(rondo_comm_rank(pair), rank == 0 ? 1 : 0);
        EXPECT_EQ(rondo_barrier(pair), RONDO_OK);
      }
      rondo_comm_free(pair);
      rondo_comm_free(comm);
    });
  }
}

TEST(CAbi, JoinTellsThatTheAllgatherFailed) {
  const auto fail = [](void*, const void*, void*, std::size_t) -> std::int32_t { return 17; };
  rondo_comm* comm = nullptr;
  EXPECT_EQ(rondo_comm_join(1, 2, fail, nullptr, nullptr, &comm), RONDO_JOIN_FAILED);
  EXPECT_EQ(comm, nullptr);
  EXPECT_STREQ(rondo_last_error(nullptr),
               "the allgather that rank 1 of 2 gave to rondo_comm_join failed with code 17");
  EXPECT_EQ(rondo_last_error_peer(nullptr), 1);
  EXPECT_EQ(rondo_comm_join(0, 1, nullptr, nullptr, nullptr, &comm), RONDO_OK);
  EXPECT_EQ(rondo_comm_size(comm), 1);
  rondo_comm_free(comm);
}

TEST(CAbi, AbortEndsTheOthersCallsWithItsReason) {
  on_ranks(2, [](rondo_comm* comm, int rank) {
    if (rank == 1) {
      EXPECT_EQ(rondo_comm_abort(comm, "the disk is full"), RONDO_OK);
    } else {
      EXPECT_EQ(rondo_barrier(comm), RONDO_ABORTED);
      EXPECT_THAT(rondo_last_error(comm), HasSubstr("the disk is full"));
      EXPECT_EQ(rondo_last_error_peer(comm), 1);
    }
    // Poisoned: the first cause comes back.
    EXPECT_EQ(rondo_barrier(comm), RONDO_ABORTED);
  });
}

TEST(CAbi, ExplainsACall) {
  rondo_comm* comm = nullptr;
  ASSERT_EQ(rondo_comm_local(1, nullptr, &comm), RONDO_OK);
  char* text = nullptr;
  ASSERT_EQ(rondo_explain(comm, RONDO_ALLREDUCE, 1000, RONDO_F32, &text), RONDO_OK);
  EXPECT_THAT(text, HasSubstr("allreduce of 1000 f32"));
  rondo_string_free(text);
  EXPECT_EQ(rondo_explain(comm, 11, 1000, RONDO_F32, &text), RONDO_INVALID_ARGUMENT);
  EXPECT_THAT(rondo_last_error(comm), HasSubstr("11 is no rondo_collective"));
  rondo_comm_free(comm);
}

TEST(CAbi, NumbersOutOfRangeAreRefusedAndDoNotPoison) {
  rondo_comm* comm = nullptr;
  ASSERT_EQ(rondo_comm_local(1, nullptr, &comm), RONDO_OK);
  float value = 3;
  const std::vector<rondo_status> all = {
      rondo_allreduce(comm, &value, &value, 1, RONDO_F8E5M2 + 1, RONDO_SUM),
      rondo_allreduce(comm, &value, &value, 1, -1, RONDO_SUM),
      rondo_allreduce(comm, &value, &value, 1, RONDO_F32, 5),
      rondo_broadcast(comm, &value, 1, RONDO_F32, 1),
      rondo_allreduce(comm, nullptr, &value, 1, RONDO_F32, RONDO_SUM),
      rondo_allreduce(comm, &value, nullptr, 1, RONDO_F32, RONDO_SUM),
      rondo_comm_set_timeout(comm, 0),
  };
  EXPECT_THAT(all, Each(RONDO_INVALID_ARGUMENT));
  EXPECT_STRNE(rondo_last_error(comm), "");
  EXPECT_EQ(rondo_allreduce(comm, &value, &value, 1, RONDO_F32, RONDO_SUM), RONDO_OK);
  EXPECT_EQ(value, 3);
  EXPECT_EQ(rondo_comm_set_timeout(comm, 1000), RONDO_OK);
  rondo_comm_free(comm);
}

TEST(CAbi, NullPointersAreRefusedByName) {
  rondo_comm* comm = nullptr;
  ASSERT_EQ(rondo_comm_local(1, nullptr, &comm), RONDO_OK);
  std::int32_t done = 0;
  rondo_comm* other = nullptr;
  char* text = nullptr;
  const std::vector<rondo_status> all = {
      rondo_comm_from_env(nullptr, nullptr),
      rondo_comm_join(0, 2, nullptr, nullptr, nullptr, &other),
      rondo_comm_join(0, 1, nullptr, nullptr, nullptr, nullptr),
      rondo_comm_subgroup(nullptr, &done, 1, 0, &other),
      rondo_comm_subgroup(comm, nullptr, 1, 0, &other),
      rondo_comm_subgroup(comm, &done, 1, 0, nullptr),
      rondo_comm_local(1, nullptr, nullptr),
      rondo_barrier(nullptr),
      rondo_ibarrier(comm, nullptr),
      rondo_ibarrier(nullptr, nullptr),
      rondo_comm_split(nullptr, 0, 0, &other),
      rondo_comm_split(comm, 0, 0, nullptr),
      rondo_comm_duplicate(nullptr, &other),
      rondo_comm_duplicate(comm, nullptr),
      rondo_comm_abort(nullptr, nullptr),
      rondo_comm_set_timeout(nullptr, 1),
      rondo_explain(nullptr, RONDO_BARRIER, 0, RONDO_U8, &text),
      rondo_explain(comm, RONDO_BARRIER, 0, RONDO_U8, nullptr),
      rondo_work_wait(nullptr),
      rondo_work_test(nullptr, &done),
  };
  EXPECT_THAT(all, Each(RONDO_INVALID_ARGUMENT));
  EXPECT_STREQ(rondo_last_error(nullptr), "work must not be a null pointer");
  EXPECT_EQ(rondo_last_error_peer(nullptr), -1);
  EXPECT_EQ(rondo_comm_rank(nullptr), -1);
  EXPECT_EQ(rondo_comm_size(nullptr), -1);
  rondo_comm_free(nullptr);
  rondo_work_free(nullptr);
  rondo_string_free(nullptr);
  rondo_comm_free(comm);
}

TEST(CAbi, OptionsOfOtherVersions) {
  rondo_comm* comm = nullptr;
  rondo_options options = {};
  EXPECT_EQ(rondo_comm_local(1, &options, &comm), RONDO_INVALID_ARGUMENT);
  EXPECT_THAT(rondo_last_error(nullptr), HasSubstr("RONDO_OPTIONS_INIT"));

  // An older program knows fewer fields: what lies behind them is not read.
  options = RONDO_OPTIONS_INIT;
  options.size = offsetof(rondo_options, algorithm);
  options.algorithm = 1000;
  ASSERT_EQ(rondo_comm_local(1, &options, &comm), RONDO_OK);
  rondo_comm_free(comm);
  options.size = sizeof options;
  EXPECT_EQ(rondo_comm_local(1, &options, &comm), RONDO_INVALID_ARGUMENT);

  // A newer one knows more: fine while they are open.
  struct Newer {
    rondo_options known = RONDO_OPTIONS_INIT;
    std::uint64_t unknown = 0;
  } newer;
  newer.known.size = sizeof newer;
  ASSERT_EQ(rondo_comm_local(1, &newer.known, &comm), RONDO_OK);
  rondo_comm_free(comm);
  newer.unknown = 1;
  EXPECT_EQ(rondo_comm_local(1, &newer.known, &comm), RONDO_INVALID_ARGUMENT);
  EXPECT_THAT(rondo_last_error(nullptr), HasSubstr("does not know"));
}

TEST(CAbi, OptionsReachTheWorld) {
  rondo_options options = RONDO_OPTIONS_INIT;
  options.algorithm = RONDO_KNOMIAL;
  options.radix = 3;
  options.tile_bytes = 4096;
  options.timeout_ms = 20000;
  rondo_comm* comms[2] = {};
  ASSERT_EQ(rondo_comm_local(2, &options, comms), RONDO_OK) << rondo_last_error(nullptr);
  char* text = nullptr;
  ASSERT_EQ(rondo_explain(comms[0], RONDO_BROADCAST, 100000, RONDO_F32, &text), RONDO_OK);
  EXPECT_THAT(text, HasSubstr("knomial"));
  EXPECT_THAT(text, HasSubstr("4 KiB"));
  rondo_string_free(text);
  for (rondo_comm* comm : comms) rondo_comm_free(comm);

  options.timeout_ms = -1;
  EXPECT_EQ(rondo_comm_local(2, &options, comms), RONDO_INVALID_ARGUMENT);
}

TEST(CAbi, NamesAndVersions) {
  EXPECT_STREQ(rondo_status_name(RONDO_OK), "ok");
  EXPECT_STREQ(rondo_status_name(RONDO_TIMEOUT), "timeout");
  EXPECT_STREQ(rondo_status_name(RONDO_INTERNAL), "internal");
  EXPECT_STREQ(rondo_status_name(RONDO_INTERNAL + 1), "unknown status");
  EXPECT_STREQ(rondo_status_name(-1), "unknown status");
  EXPECT_EQ(rondo_version(),
            RONDO_VERSION_MAJOR * 10000u + RONDO_VERSION_MINOR * 100u + RONDO_VERSION_PATCH);
  EXPECT_STREQ(rondo_version_text(), RONDO_VERSION_TEXT);
  EXPECT_STREQ(rondo_version_text(), PROJECT_VERSION);
}

}  // namespace
