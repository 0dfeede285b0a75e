// Ranks that die, stop, come late, leave or give up: the others name them.

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <thread>

#include "base/text.hpp"
#include "transport/processes.hpp"

namespace rondo::process {
namespace {

using namespace std::chrono_literals;

// One operation after the other until something goes wrong.
std::optional<Error> exchange_for_ever(Transport& transport, std::chrono::milliseconds timeout) {
  for (std::uint64_t sequence = 1;; ++sequence) {
    if (auto error = exchange(transport, sequence, allreduce_of(9), 1 << 20, timeout)) return error;
  }
}

TEST(Failure, all_survivors_name_a_rank_that_was_killed) {
  const int ranks = 4;
  for (int victim = 0; victim < ranks; ++victim) {
    const ProcessWorld world(
        ranks, [](Transport& transport) { return exchange_for_ever(transport, patience); });
    for (int rank = 0; rank < ranks; ++rank) ASSERT_EQ(world.read_line(rank), "formed");
    std::this_thread::sleep_for(20ms);  // somewhere in a transfer
    const auto start = Transport::Clock::now();
    world.signal(victim, SIGKILL);
    for (int rank = 0; rank < ranks; ++rank) {
      if (rank == victim) continue;
      const std::string line = world.read_line(rank);
      EXPECT_TRUE(line.starts_with(concat("peer_lost ", victim, " "))) << line;
      EXPECT_NE(line.find(concat("host", victim)), std::string::npos) << line;
    }
    // By the news, which takes milliseconds on a quiet machine, and not by the deadline.
    EXPECT_LT(Transport::Clock::now() - start, patience / 2);
  }
}

// What is published for a rank that never takes it reaches the others, who learn of its death as
// ever.
TEST(Failure, a_reader_that_dies_keeps_nothing_from_the_others) {
  const int ranks = 4;
  const ProcessWorld world(ranks, [](Transport& transport) -> std::optional<Error> {
    const int victim = 3;
    const int rank = transport.rank();
    const std::uint64_t last = 12;
    if (auto error = exchange(transport, 1, allreduce_of(9), 1000)) return error;
    std::vector<std::byte> bytes(20'000);
    std::array<std::byte, 2> words = {};
    std::vector<Message> messages;
    for (std::uint64_t sequence = 2; rank != victim && sequence < last; ++sequence) {
      const auto expected = static_cast<std::byte>(sequence);
      std::fill(bytes.begin(), bytes.end(), rank == 0 ? expected : std::byte{});
      messages.clear();
      for (const int peer : {1, 2, 3}) {
        if (rank != 0) continue;
        messages.push_back({Transfer::Kind::send, {peer, 0}, bytes.data(), bytes.size(), 1, 3});
      }
      if (rank != 0) messages = {{Transfer::Kind::recv, {0, 0}, bytes.data(), bytes.size()}};
      if (auto error = carry_out(transport, sequence, allreduce_of(1), messages)) return error;
      if (std::count(bytes.begin(), bytes.end(), expected) != std::ptrdiff_t{20'000}) {
        return Error(ErrorCode::protocol, "wrong bytes");
      }
    }
    messages.clear();
    for (const int peer : {1, 2}) {
      if (rank == victim) {
        messages.push_back({Transfer::Kind::recv, {peer, 0}, &words[peer - 1], 1});
      } else if (rank == peer) {
        messages.push_back({Transfer::Kind::send, {victim, 0}, words.data(), 1});
      }
    }
    if (auto error = carry_out(transport, last, allreduce_of(1), messages)) return error;
    if (rank == victim) ::raise(SIGKILL);
    return exchange(transport, last + 1, allreduce_of(9), 1000);
  });
  for (int rank = 0; rank < ranks; ++rank) ASSERT_EQ(world.read_line(rank), "formed");
  for (int rank = 0; rank < 3; ++rank) {
    const std::string line = world.read_line(rank);
    EXPECT_TRUE(line.starts_with("peer_lost 3 ")) << line;
  }
}

// Rank 2 is one operation ahead of rank 1, and hears at once that rank 0 was lost and that rank 1
// left therefore, while it waits for rank 3 only.
TEST(Failure, a_rank_that_left_because_of_a_loss_is_not_to_blame) {
  const int ranks = 4;
  const ProcessWorld world(ranks, [](Transport& transport) -> std::optional<Error> {
    if (auto error = exchange(transport, 1, allreduce_of(9), 1000)) return error;
    const int rank = transport.rank();
    std::byte byte{};
    const auto recv_from = [&](int peer) {
      return std::vector<Message>{{Transfer::Kind::recv, {peer, 0}, &byte, 1}};
    };
    const auto messages = rank == 1 ? recv_from(0) : std::vector<Message>{};
    if (auto error = carry_out(transport, 2, allreduce_of(1), messages)) return error;
    std::this_thread::sleep_for(rank == 0 ? 100ms : rank == 2 ? 400ms : 700ms);
    if (rank == 0) ::_exit(1);
    if (rank == 3) return std::nullopt;
    return carry_out(transport, 3, allreduce_of(1), recv_from(3));
  });
  for (int rank = 0; rank < ranks; ++rank) ASSERT_EQ(world.read_line(rank), "formed");
  for (int rank = 1; rank < 3; ++rank) {
    const std::string line = world.read_line(rank);
    EXPECT_TRUE(line.starts_with("peer_lost 0 ")) << line;
  }
}

// Rank 2 waits for rank 0 only, which lives and waited for the dead: it is told so, and does not
// find out that nothing comes.
TEST(Failure, a_loss_ends_the_operations_of_those_who_wait_for_a_survivor) {
  int known[2];
  ASSERT_EQ(::pipe(known), 0);
  const ProcessWorld world(3, [&](Transport& transport) -> std::optional<Error> {
    if (auto error = exchange(transport, 1, allreduce_of(9), 1000)) return error;
    const int rank = transport.rank();
    if (rank == 1) ::raise(SIGKILL);
    std::byte byte{};
    if (rank == 2) (void)!::read(known[0], &byte, 1);
    auto error = carry_out(transport, 2, allreduce_of(1),
                           {{Transfer::Kind::recv, {rank == 0 ? 1 : 0, 0}, &byte, 1}});
    (void)!::write(known[1], &byte, 1);
    return error;
  });
  for (int rank = 0; rank < 3; ++rank) ASSERT_EQ(world.read_line(rank), "formed");
  for (const int rank : {0, 2}) {
    const std::string line = world.read_line(rank);
    EXPECT_TRUE(line.starts_with("peer_lost 1 ")) << line;
    EXPECT_TRUE(line.ends_with("; its last message to rank 0 was of operation 1")) << line;
  }
  ::close(known[0]);
  ::close(known[1]);
}

// Rank 2 does not: launchers would end it with the first one that ends. Not for ever.
TEST(Failure, who_ends_after_a_loss_waits_a_moment_for_the_others) {
  using Clock = Transport::Clock;
  void* const shared = ::mmap(nullptr, sizeof(Clock::time_point), PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(shared, MAP_FAILED);
  auto* const began_to_end = new (shared) Clock::time_point();
  const ProcessWorld world(3, [&](Transport& transport) -> std::optional<Error> {
    if (auto error = exchange(transport, 1, allreduce_of(9), 1000)) return error;
    if (transport.rank() == 1) ::raise(SIGKILL);
    while (transport.rank() == 2) ::pause();
    auto error = exchange(transport, 2, allreduce_of(9), 1000);
    *began_to_end = Clock::now();
    return error;
  });
  EXPECT_EQ(world.read_line(0), "formed");
  const std::string line = world.read_line(0);
  EXPECT_TRUE(line.starts_with("peer_lost 1 ")) << line;
  EXPECT_EQ(world.read_line(0), "");
  EXPECT_GE(Clock::now() - *began_to_end, 200ms);
  ::munmap(shared, sizeof(Clock::time_point));
}

TEST(Failure, all_others_name_a_rank_that_was_stopped) {
  const int ranks = 4;
  for (int victim = 0; victim < ranks; victim += 3) {
    const ProcessWorld world(
        ranks, [](Transport& transport) { return exchange_for_ever(transport, 700ms); });
    for (int rank = 0; rank < ranks; ++rank) ASSERT_EQ(world.read_line(rank), "formed");
    std::this_thread::sleep_for(20ms);
    world.signal(victim, SIGSTOP);
    for (int rank = 0; rank < ranks; ++rank) {
      if (rank == victim) continue;
      const std::string line = world.read_line(rank);
      EXPECT_TRUE(line.starts_with(concat("timeout ", victim, " "))) << line;
    }
    // The stopped rank wakes up and learns what happened meanwhile.
    world.signal(victim, SIGCONT);
    const std::string line = world.read_line(victim);
    EXPECT_FALSE(line.starts_with("fine")) << line;
  }
}

TEST(Failure, a_stop_shorter_than_the_deadline_harms_nothing) {
  const ProcessWorld world(3, [](Transport& transport) -> std::optional<Error> {
    for (std::uint64_t sequence = 1; sequence <= 300; ++sequence) {
      if (auto error = exchange(transport, sequence, allreduce_of(9), 1 << 18)) return error;
    }
    return std::nullopt;
  });
  for (int rank = 0; rank < 3; ++rank) ASSERT_EQ(world.read_line(rank), "formed");
  world.signal(1, SIGSTOP);
  std::this_thread::sleep_for(200ms);
  world.signal(1, SIGCONT);
  for (int rank = 0; rank < 3; ++rank) EXPECT_EQ(world.read_line(rank), "fine");
}

// Rank 0 waits for rank 1, which waits for rank 2, which does not come.
TEST(Failure, the_end_of_a_chain_of_waiting_ranks_is_named) {
  const int ranks = 4;
  const Transports world = make_world(ranks);
  on_all_ranks(ranks, [&](int rank) {
    const int absent = 2;
    if (rank == absent) return;
    std::byte byte{};
    const int source = rank == 0 ? 1 : rank == 1 ? 2 : 0;
    const auto error = carry_out(*world[rank], 1, allreduce_of(1),
                                 {{Transfer::Kind::recv, {source, 0}, &byte, 1}}, 300ms);
    ASSERT_TRUE(error);
    EXPECT_EQ(error->code(), ErrorCode::timeout) << error->text();
    EXPECT_EQ(error->peer(), absent) << error->text();
    EXPECT_NE(error->text().find("host2"), std::string::npos) << error->text();
  });
}

TEST(Failure, a_late_rank_finds_the_verdict_about_itself) {
  const Transports world = make_world(3);
  on_all_ranks(3, [&](int rank) {
    if (rank == 1) std::this_thread::sleep_for(700ms);
    const auto error = exchange(*world[rank], 1, allreduce_of(1), 10, 200ms);
    ASSERT_TRUE(error);
    EXPECT_EQ(error->code(), ErrorCode::timeout) << error->text();
    EXPECT_EQ(error->peer(), 1) << error->text();
  });
}

TEST(Failure, a_rank_that_left_is_named_with_its_last_operation) {
  const int ranks = 4;
  Transports world = make_world(ranks);
  on_all_ranks(ranks, [&](int rank) {
    ASSERT_FALSE(exchange(*world[rank], 1, allreduce_of(1), 1000));
    ASSERT_FALSE(exchange(*world[rank], 2, allreduce_of(1), 1000));
    if (rank == 3) return world[rank].reset();
    const auto error = exchange(*world[rank], 3, allreduce_of(1), 1000);
    ASSERT_TRUE(error);
    EXPECT_EQ(error->code(), ErrorCode::peer_left) << error->text();
    EXPECT_EQ(error->peer(), 3);
    EXPECT_NE(error->text().find("after its operation 2"), std::string::npos) << error->text();
  });
}

// The link to it has never been opened, and never will be.
TEST(Failure, a_rank_that_left_before_the_first_connection_is_named) {
  for (int leaver = 0; leaver < 2; ++leaver) {
    Transports world = make_world(2);
    ASSERT_TRUE(world[leaver]->begin(1, allreduce_of(1), {}).ok());
    world[leaver].reset();
    const auto error = exchange(*world[1 - leaver], 1, allreduce_of(1), 10);
    ASSERT_TRUE(error);
    EXPECT_EQ(error->code(), ErrorCode::peer_left) << error->text();
    EXPECT_EQ(error->peer(), leaver);
  }
}

TEST(Failure, leaving_after_the_last_operation_disturbs_nobody) {
  for (int repeat = 0; repeat < 20; ++repeat) {
    const int ranks = 4;
    Transports world = make_world(ranks);
    on_all_ranks(ranks, [&](int rank) {
      // A chain: the first ranks are gone long before the last one has its message.
      std::vector<std::byte> bytes(1 << 20, static_cast<std::byte>(7));
      std::vector<std::byte> received(bytes.size());
      std::vector<Message> messages;
      if (rank > 0) {
        messages.push_back({Transfer::Kind::recv, {rank - 1, 0}, received.data(), received.size()});
      }
      if (rank + 1 < ranks) {
        messages.push_back({Transfer::Kind::send, {rank + 1, 0}, bytes.data(), bytes.size()});
      }
      if (rank == ranks - 1) std::this_thread::sleep_for(20ms);
      const auto error = carry_out(*world[rank], 1, allreduce_of(1), messages);
      EXPECT_FALSE(error) << error->text();
      if (rank > 0) {
        EXPECT_EQ(received, bytes);
      }
      world[rank].reset();
    });
  }
}

// A process may end without destroying its communicator, once it has done its part.
TEST(Failure, ending_without_a_goodbye_after_the_last_operation_disturbs_nobody) {
  const int ranks = 4;
  const ProcessWorld world(ranks, [](Transport& transport) {
    const auto error = exchange(transport, 1, allreduce_of(1), 1 << 20);
    if (transport.rank() == 0 && !error) ::_exit(0);
    return error;
  });
  for (int rank = 1; rank < ranks; ++rank) {
    ASSERT_EQ(world.read_line(rank), "formed");
    EXPECT_EQ(world.read_line(rank), "fine");
  }
}

TEST(Failure, an_abort_ends_the_operation_of_all_ranks) {
  const int ranks = 3;
  const Transports world = make_world(ranks);
  on_all_ranks(ranks, [&](int rank) {
    if (rank == 1) {
      ASSERT_FALSE(world[rank]->begin(1, allreduce_of(1), {}).ok() == false);
      const Error verdict =
          world[rank]->conclude(Error(ErrorCode::aborted, 1, "rank 1 aborted: enough"), {});
      world[rank]->cancel();
      EXPECT_EQ(verdict.code(), ErrorCode::aborted);
      return;
    }
    const auto error = exchange(*world[rank], 1, allreduce_of(1), 1000);
    ASSERT_TRUE(error);
    EXPECT_EQ(error->code(), ErrorCode::aborted) << error->text();
    EXPECT_EQ(error->peer(), 1);
    EXPECT_NE(error->text().find("enough"), std::string::npos) << error->text();
  });
}

TEST(Failure, errors_of_a_part_name_its_own_ranks_and_those_of_the_world) {
  const int ranks = 4;
  const Transports world = make_world(ranks);
  on_all_ranks(ranks, [&](int rank) {
    if (rank == 0) return;
    const std::vector<int> members = {1, 2, 3};
    auto part = world[rank]->split(members, 5);
    ASSERT_TRUE(part.ok());
    ASSERT_FALSE(exchange(*part.value(), 1, allreduce_of(1), 10));
    if (rank == 3) return;  // leaves the part
    const auto error = exchange(*part.value(), 2, allreduce_of(1), 10);
    ASSERT_TRUE(error);
    EXPECT_EQ(error->peer(), 2);
    EXPECT_NE(error->text().find("rank 3 of the world"), std::string::npos) << error->text();
  });
}

TEST(Failure, a_world_without_all_its_ranks_names_the_missing) {
  const int ranks = 4;
  std::vector<Membership> all = memberships(ranks);
  on_all_ranks(ranks, [&](int rank) {
    if (rank == 2) return;
    const auto made = make_transport(std::move(all[rank]), Transport::Clock::now() + 300ms);
    ASSERT_FALSE(made.ok());
    EXPECT_EQ(made.error().code(), ErrorCode::join_failed) << made.error().text();
    EXPECT_NE(made.error().text().find("rank 2"), std::string::npos) << made.error().text();
  });
}

}  // namespace
}  // namespace rondo::process
