// Worlds that are made from the caller's own means, and communicators of listed members.

#include <gtest/gtest.h>

#include <cstdlib>
#include <numeric>
#include <thread>
#include <vector>

#include "harness/out_of_band.hpp"
#include "harness/world.hpp"
#include "rondo/communicator.hpp"
#include "rondo/topology.hpp"

namespace rondo {
namespace {

using testing::error_of;
using testing::on_world;
using testing::ThreadsAllgather;

// Runs `body` on each rank of a world of threads that join() by means of their own.
void on_joined(int ranks, const Options& options, const std::function<void(Communicator&)>& body) {
  ThreadsAllgather allgather(ranks);
  std::vector<std::jthread> threads;
  for (int rank = 0; rank < ranks; ++rank) {
    threads.emplace_back([&, rank] {
      try {
        Communicator comm = Communicator::join(allgather.of(rank), options);
        body(comm);
      } catch (const std::exception& thrown) {
        ADD_FAILURE() << "rank " << rank << " threw: " << thrown.what();
      }
    });
  }
}

int sum_of_ranks(Communicator& comm) {
  return comm.allreduce_value(comm.rank());
}

TEST(Join, RanksThatExchangeBytesBecomeAWorld) {
  for (const char* transport : {"shm", "tcp"}) {
    on_joined(3, {.transport = transport}, [&](Communicator& comm) {
      EXPECT_EQ(comm.size(), 3);
      EXPECT_EQ(comm.transport(), transport);
      EXPECT_EQ(sum_of_ranks(comm), 3);
      EXPECT_EQ(comm.topology().ranks.size(), 3u);
    });
  }
}

TEST(Join, AWorldOfOneNeedsNobody) {
  Communicator comm = Communicator::join({});
  EXPECT_EQ(comm.size(), 1);
  EXPECT_EQ(sum_of_ranks(comm), 0);
}

TEST(Join, ABadOptionOfOneRankIsToldToAll) {
  ThreadsAllgather allgather(2);
  std::vector<std::optional<Error>> errors(2);
  {
    std::vector<std::jthread> threads;
    for (int rank = 0; rank < 2; ++rank) {
      threads.emplace_back([&, rank] {
        const Options options = rank == 1 ? Options{.radix = 1} : Options{};
        try {
          (void)Communicator::join(allgather.of(rank), options);
        } catch (const Error& error) {
          errors[static_cast<std::size_t>(rank)] = error;
        }
      });
    }
  }
  ASSERT_TRUE(errors[0] && errors[1]);
  EXPECT_EQ(errors[0]->code(), ErrorCode::join_failed);
  EXPECT_EQ(errors[0]->peer(), 1);
  EXPECT_NE(errors[0]->text().find("Options::radix=1"), std::string::npos) << errors[0]->text();
  EXPECT_EQ(errors[1]->code(), ErrorCode::invalid_argument);
}

TEST(Subgroup, OnlyItsMembersMakeIt) {
  const auto body = [](Communicator& comm) {
    const std::vector<int> members = {3, 1};
    if (comm.rank() % 2 == 0) return;
    Communicator pair = comm.subgroup(members, 7);
    EXPECT_EQ(pair.size(), 2);
    EXPECT_EQ(pair.rank(), comm.rank() == 3 ? 0 : 1);
    EXPECT_EQ(pair.topology().ranks.size(), 2u);
    EXPECT_EQ(pair.allreduce_value(comm.rank()), 4);
  };
  on_world(4, {}, body);
  on_joined(4, {}, body);
}

TEST(Subgroup, ManyOfTheSameMembersGoOnSideBySide) {
  const auto body = [](Communicator& comm) {
    std::vector<int> everybody(static_cast<std::size_t>(comm.size()));
    std::iota(everybody.begin(), everybody.end(), 0);
    std::vector<Communicator> groups;
    for (std::uint64_t context = 0; context < 4; ++context) {
      groups.push_back(comm.subgroup(everybody, context));
    }
    // In an order of each rank's own where nobody has to wait.
    std::vector<std::vector<int>> values(groups.size());
    std::vector<Work> works;
    for (std::size_t i = 0; i < groups.size(); ++i) {
      const std::size_t index = comm.rank() == 0 ? i : groups.size() - 1 - i;
      values[index] = {static_cast<int>(index) + comm.rank()};
      works.push_back(groups[index].iallreduce(values[index]));
    }
    for (Work& work : works) work.wait();
    for (std::size_t i = 0; i < groups.size(); ++i) {
      EXPECT_EQ(values[i][0], 3 * static_cast<int>(i) + 3);
    }
  };
  on_world(3, {}, body);
  on_joined(3, {}, body);
}

TEST(Subgroup, OneAfterTheOther) {
  on_joined(2, {}, [](Communicator& comm) {
    const std::vector<int> both = {0, 1};
    for (std::uint64_t context = 0; context < 100; ++context) {
      Communicator group = comm.subgroup(both, context);
      EXPECT_EQ(sum_of_ranks(group), 1);
    }
  });
}

TEST(Subgroup, PartsOfPartsAndOtherOrdersAreApart) {
  on_world(3, {}, [](Communicator& comm) {
    const std::vector<int> forth = {0, 1, 2};
    const std::vector<int> back = {2, 1, 0};
    Communicator same = comm.subgroup(forth, 1);
    Communicator reversed = comm.subgroup(back, 1);
    Communicator nested = reversed.subgroup(forth, 1);
    std::vector<int> firsts;
    for (Communicator* one : {&same, &reversed, &nested}) {
      std::vector<int> first = {comm.rank()};
      one->broadcast(first, 0);
      firsts.push_back(first[0]);
    }
    EXPECT_EQ(firsts, (std::vector{0, 2, 2}));
  });
}

TEST(Subgroup, WhoIsNoMemberCannotMakeIt) {
  on_world(3, {}, [](Communicator& comm) {
    const auto text_for = [&](std::vector<int> members) {
      const Error error = error_of([&] { (void)comm.subgroup(members, 1); });
      EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
      return error.text();
    };
    const int next = (comm.rank() + 1) % 3;
    EXPECT_NE(text_for({next}).find("none of the members"), std::string::npos);
    EXPECT_NE(text_for({}).find("none of the members"), std::string::npos);
    EXPECT_NE(text_for({comm.rank(), 3}).find("no rank 3"), std::string::npos);
    EXPECT_NE(text_for({comm.rank(), -1}).find("no rank -1"), std::string::npos);
    EXPECT_NE(text_for({next, comm.rank(), next}).find("two members"), std::string::npos);
  });
}

TEST(Subgroup, SeveralThreadsMakeThemAtOnce) {
  on_world(2, {}, [](Communicator& comm) {
    std::vector<std::jthread> threads;
    for (std::uint64_t context = 0; context < 4; ++context) {
      threads.emplace_back([&comm, context] {
        const std::vector<int> both = {0, 1};
        Communicator group = comm.subgroup(both, context);
        EXPECT_EQ(sum_of_ranks(group), 1);
      });
    }
  });
}

}  // namespace
}  // namespace rondo
