// The C functions that move blocks and messages, called through the shared library.

#include <gmock/gmock.h>

#include <algorithm>

#include "abi/c_world.hpp"

namespace {

using c_world::count;
using c_world::input;
using c_world::inputs;
using c_world::on_ranks;
using c_world::sum;
using c_world::sums;
using testing::HasSubstr;

TEST(CBlocks, GatherScatterAndAlltoall) {
  constexpr int ranks = 3;
  on_ranks(ranks, [](rondo_comm* comm, int rank) {
    constexpr int root = 1;
    const std::size_t own = static_cast<std::size_t>(rank) * count;
    std::vector<float> everyone;
    for (int other = 0; other < ranks; ++other) {
      const std::vector<float> block = inputs(other);
      everyone.insert(everyone.end(), block.begin(), block.end());
    }
    const std::vector<float> mine = inputs(rank);
    std::vector<float> all(rank == root ? ranks * count : 0);
    EXPECT_EQ(rondo_gather(comm, mine.data(), rank == root ? all.data() : nullptr, count, RONDO_F32,
                           root),
              RONDO_OK);
    if (rank == root) {
      EXPECT_EQ(all, everyone);
      std::copy(mine.begin(), mine.end(), all.begin() + static_cast<int>(own));
    }
    const void* const send = rank == root ? RONDO_IN_PLACE : mine.data();
    EXPECT_EQ(rondo_gather(comm, send, all.data(), count, RONDO_F32, root), RONDO_OK);
    std::vector<float> back(count);
    EXPECT_EQ(rondo_scatter(comm, rank == root ? all.data() : nullptr, back.data(), count,
                            RONDO_F32, root),
              RONDO_OK);
    EXPECT_EQ(back, mine);
    EXPECT_EQ(rondo_scatter(comm, RONDO_IN_PLACE, back.data(), count, RONDO_F32, root),
              RONDO_INVALID_ARGUMENT);

    const std::vector<float> given = inputs(rank, ranks * count);
    std::vector<float> got(ranks * count);
    rondo_work* work = nullptr;
    EXPECT_EQ(rondo_ialltoall(comm, given.data(), got.data(), count, RONDO_F32, &work), RONDO_OK);
    EXPECT_EQ(rondo_work_wait(work), RONDO_OK);
    rondo_work_free(work);
    std::vector<float> same = given;
    EXPECT_EQ(rondo_alltoall(comm, RONDO_IN_PLACE, same.data(), count, RONDO_F32), RONDO_OK);
    EXPECT_EQ(same, got);
    for (std::size_t i = 0; i < got.size(); ++i) {
      EXPECT_EQ(got[i], input(static_cast<int>(i / count), own + i % count));
    }
  });
}

TEST(CBlocks, ScanAndExscan) {
  constexpr int ranks = 4;
  on_ranks(ranks, [](rondo_comm* comm, int rank) {
    const std::vector<float> send = inputs(rank);
    std::vector<float> receive(count, -1);
    EXPECT_EQ(rondo_scan(comm, send.data(), receive.data(), count, RONDO_F32, RONDO_SUM), RONDO_OK);
    EXPECT_EQ(receive, sums(rank + 1));
    receive.assign(count, -1);
    EXPECT_EQ(rondo_exscan(comm, send.data(), receive.data(), count, RONDO_F32, RONDO_SUM),
              RONDO_OK);
    EXPECT_EQ(receive, rank == 0 ? std::vector<float>(count, -1) : sums(rank));
    EXPECT_EQ(rondo_scan(comm, RONDO_IN_PLACE, receive.data(), count, RONDO_F32, RONDO_AVG),
              RONDO_INVALID_ARGUMENT);
    EXPECT_THAT(rondo_last_error(comm), HasSubstr("divide by rank() + 1"));
  });
}

TEST(CBlocks, BlocksOfDifferentLengths) {
  constexpr int ranks = 3;
  on_ranks(ranks, [](rondo_comm* comm, int rank) {
    const std::size_t counts[ranks] = {2, 0, 5};
    const std::size_t places[ranks] = {6, 0, 1};  // rank 0's block lies behind rank 2's
    const std::size_t own = counts[rank];
    const std::vector<float> mine = inputs(rank, own);
    std::vector<float> expected = inputs(0, 2);
    for (const float value : inputs(2, 5)) expected.push_back(value);
    std::vector<float> all(7);
    EXPECT_EQ(rondo_allgatherv(comm, mine.data(), all.data(), counts, nullptr, RONDO_F32),
              RONDO_OK);
    EXPECT_EQ(all, expected);
    EXPECT_EQ(rondo_allgatherv(comm, RONDO_IN_PLACE, all.data(), counts, nullptr, RONDO_F32),
              RONDO_OK);
    EXPECT_EQ(all, expected);

    std::vector<float> spread(8, -1);
    EXPECT_EQ(rondo_gatherv(comm, mine.data(), own, spread.data(), counts, places, RONDO_F32, 0),
              RONDO_OK);
    if (rank == 0) {
      EXPECT_EQ(spread[0], -1);
      EXPECT_EQ(spread[1], input(2, 0));
      EXPECT_EQ(spread[7], input(0, 1));
    }
    std::vector<float> back(own);
    EXPECT_EQ(rondo_scatterv(comm, spread.data(), counts, places, back.data(), own, RONDO_F32, 0),
              RONDO_OK);
    EXPECT_EQ(back, mine);

    const std::vector<float> vector = inputs(rank, 7);
    EXPECT_EQ(rondo_reduce_scatterv(comm, vector.data(), back.data(), counts, RONDO_F32, RONDO_SUM),
              RONDO_OK);
    for (std::size_t i = 0; i < own; ++i) EXPECT_EQ(back[i], sum(ranks, (rank == 2 ? 2 : 0) + i));

    // Rank r sends r elements to everybody.
    const std::size_t sent[ranks] = {std::size_t(rank), std::size_t(rank), std::size_t(rank)};
    const std::size_t got[ranks] = {0, 1, 2};
    const std::vector<float> parts = inputs(rank, 3 * sent[0]);
    std::vector<float> received(3);
    EXPECT_EQ(rondo_alltoallv(comm, parts.data(), sent, nullptr, received.data(), got, nullptr,
                              RONDO_F32),
              RONDO_OK);
    EXPECT_EQ(received[0], input(1, sent[0]));
    EXPECT_EQ(received[2], input(2, 2 * sent[0] + 1));
    EXPECT_EQ(rondo_allgatherv(comm, mine.data(), all.data(), nullptr, nullptr, RONDO_F32),
              RONDO_INVALID_ARGUMENT);
    EXPECT_THAT(rondo_last_error(comm), HasSubstr("3 blocks, one a rank, not 0"));
  });
}

TEST(CBlocks, MessagesBetweenTwoRanks) {
  constexpr int ranks = 3;
  on_ranks(ranks, [](rondo_comm* comm, int rank) {
    const int right = (rank + 1) % ranks;
    const int left = (rank + ranks - 1) % ranks;
    std::vector<float> mine = inputs(rank);
    std::vector<float> ghost(count);
    const rondo_message messages[] = {{RONDO_SEND, right, mine.data(), count, RONDO_F32},
                                      {RONDO_RECV, left, ghost.data(), count, RONDO_F32}};
    EXPECT_EQ(rondo_exchange(comm, messages, 2), RONDO_OK) << rondo_last_error(comm);
    EXPECT_EQ(ghost, inputs(left));
    rondo_work* work = nullptr;
    EXPECT_EQ(rondo_isend(comm, mine.data(), count, RONDO_F32, left, &work), RONDO_OK);
    EXPECT_EQ(rondo_recv(comm, ghost.data(), count, RONDO_F32, right), RONDO_OK);
    EXPECT_EQ(rondo_work_wait(work), RONDO_OK);
    rondo_work_free(work);
    EXPECT_EQ(ghost, inputs(right));
    EXPECT_EQ(rondo_send(comm, mine.data(), count, RONDO_F32, ranks), RONDO_INVALID_ARGUMENT);
    EXPECT_EQ(rondo_exchange(comm, nullptr, 1), RONDO_INVALID_ARGUMENT);
    EXPECT_EQ(rondo_exchange(comm, nullptr, 0), RONDO_OK);
    const rondo_message odd = {9, left, mine.data(), count, RONDO_F32};
    EXPECT_EQ(rondo_iexchange(comm, &odd, 1, &work), RONDO_INVALID_ARGUMENT);
    EXPECT_EQ(rondo_barrier(comm), RONDO_OK);
  });
}

}  // namespace
