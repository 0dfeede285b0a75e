// Messages over TCP while all is well.

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "transport/process_world.hpp"

namespace rondo::process {
namespace {

TEST(Exchange, carries_messages_of_all_sizes_between_all_ranks) {
  for (int ranks = 1; ranks <= 6; ++ranks) {
    const Transports world = make_world(ranks);
    on_all_ranks(ranks, [&](int rank) {
      std::uint64_t sequence = 0;
      for (const std::size_t bytes : {0u, 1u, 63u, 64u, 65u, 16320u, 16384u, 16385u, 3u << 20}) {
        const auto error = exchange(*world[rank], ++sequence, allreduce_of(bytes), bytes);
        ASSERT_FALSE(error) << error->text();
      }
    });
  }
}

TEST(Exchange, worlds_that_are_not_fully_linked_work_alike) {
  const int ranks = 12;
  const Transports world = make_world(ranks);
  on_all_ranks(ranks, [&](int rank) {
    for (std::uint64_t sequence = 1; sequence <= 5; ++sequence) {
      const auto error = exchange(*world[rank], sequence, allreduce_of(5), 5000);
      ASSERT_FALSE(error) << error->text();
    }
  });
}

TEST(Exchange, frames_of_a_later_operation_wait) {
  const Transports world = make_world(2);
  std::vector<int> values = {1, 2, 3, 4};
  std::vector<int> results(4, 0);
  const auto bytes = [](int& value) { return reinterpret_cast<std::byte*>(&value); };
  on_all_ranks(2, [&](int rank) {
    for (std::uint64_t sequence = 1; sequence <= 4; ++sequence) {
      // The sender is done with all operations before the receiver begins the first one.
      int& value = rank == 0 ? values[sequence - 1] : results[sequence - 1];
      const auto kind = rank == 0 ? Transfer::Kind::send : Transfer::Kind::recv;
      if (rank == 1 && sequence == 1) std::this_thread::sleep_for(std::chrono::milliseconds(100));
      const auto error = carry_out(*world[rank], sequence, allreduce_of(sequence),
                                   {{kind, {1 - rank, 3}, bytes(value), sizeof value}});
      ASSERT_FALSE(error) << error->text();
    }
  });
  EXPECT_EQ(results, values);
}

TEST(Exchange, a_hundred_worlds_leave_no_descriptor_open) {
  const int before = open_descriptors();
  for (int i = 0; i < 100; ++i) {
    const Transports world = make_world(3);
    on_all_ranks(3, [&](int rank) {
      const auto error = exchange(*world[rank], 1, allreduce_of(1), 100);
      ASSERT_FALSE(error) << error->text();
    });
  }
  EXPECT_EQ(open_descriptors(), before);
}

TEST(Exchange, parts_of_a_world_have_their_own_ranks_and_links) {
  const Transports world = make_world(4);
  on_all_ranks(4, [&](int rank) {
    const std::vector<int> members = rank % 2 == 0 ? std::vector{2, 0} : std::vector{1, 3};
    auto part = world[rank]->split(members, 77 + static_cast<std::uint64_t>(rank % 2));
    ASSERT_TRUE(part.ok()) << part.error().text();
    Transport& half = *part.value();
    EXPECT_EQ(members[half.rank()], rank);
    for (std::uint64_t sequence = 1; sequence <= 20; ++sequence) {
      auto error = exchange(half, sequence, allreduce_of(7), 7000);
      ASSERT_FALSE(error) << error->text();
      error = exchange(*world[rank], sequence, allreduce_of(8), 800);
      ASSERT_FALSE(error) << error->text();
    }
  });
}

TEST(Exchange, communicators_of_one_process_work_in_threads_of_their_own) {
  const int ranks = 3;
  const Transports world = make_world(ranks);
  const std::vector<int> everybody = {0, 1, 2};
  Transports twins;
  for (int rank = 0; rank < ranks; ++rank) {
    auto twin = world[rank]->split(everybody, 9);
    ASSERT_TRUE(twin.ok());
    twins.push_back(std::move(twin).value());
  }
  on_all_ranks(2 * ranks, [&](int thread) {
    Transport& transport = thread < ranks ? *world[thread] : *twins[thread - ranks];
    for (std::uint64_t sequence = 1; sequence <= 100; ++sequence) {
      const auto error = exchange(transport, sequence, allreduce_of(1), 3000);
      ASSERT_FALSE(error) << error->text();
    }
  });
}

TEST(Exchange, a_forked_child_that_destroys_its_copy_disturbs_nobody) {
  Transports world = make_world(2);
  on_all_ranks(2, [&](int rank) { ASSERT_FALSE(exchange(*world[rank], 1, allreduce_of(1), 10)); });
  const pid_t child = ::fork();
  if (child == 0) {
    world.clear();
    ::_exit(0);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  on_all_ranks(2, [&](int rank) {
    const auto error = exchange(*world[rank], 2, allreduce_of(1), 1000);
    EXPECT_FALSE(error) << error->text();
  });
}

TEST(Exchange, a_storm_of_signals_harms_nothing) {
  struct sigaction action = {};
  action.sa_handler = [](int) {};  // without SA_RESTART: calls are interrupted
  struct sigaction usual = {};
  ASSERT_EQ(::sigaction(SIGALRM, &action, &usual), 0);
  const itimerval storm = {{0, 500}, {0, 500}};
  ASSERT_EQ(::setitimer(ITIMER_REAL, &storm, nullptr), 0);
  {
    const Transports world = make_world(3);
    on_all_ranks(3, [&](int rank) {
      for (std::uint64_t sequence = 1; sequence <= 100; ++sequence) {
        const auto error = exchange(*world[rank], sequence, allreduce_of(1), 200'000);
        ASSERT_FALSE(error) << error->text();
      }
    });
  }
  const itimerval calm = {};
  ASSERT_EQ(::setitimer(ITIMER_REAL, &calm, nullptr), 0);
  ASSERT_EQ(::sigaction(SIGALRM, &usual, nullptr), 0);
}

}  // namespace
}  // namespace rondo::process
