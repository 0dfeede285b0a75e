// Ranks that end while others are many operations behind: what they have sent is not lost.

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <thread>
#include <utility>

#include "base/text.hpp"
#include "transport/control/control_link.hpp"
#include "transport/processes.hpp"

namespace rondo::process {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t operations = 20;
constexpr std::size_t message_bytes = 4 << 10;  // all of them together fit into socket buffers
constexpr auto nap = 1s;                        // longer than any grace

// A message from each rank to the next one: nothing holds back who runs ahead.
std::optional<Error> send_along(Transport& transport, std::uint64_t sequence) {
  const int rank = transport.rank();
  std::vector<std::byte> bytes(message_bytes, static_cast<std::byte>(sequence));
  std::vector<std::byte> received = bytes;
  std::vector<Message> messages;
  messages.reserve(2);
  if (rank > 0) {
    received.assign(message_bytes, std::byte{0});
    messages.push_back({Transfer::Kind::recv, {rank - 1, 0}, received.data(), received.size()});
  }
  if (rank + 1 < transport.size()) {
    messages.push_back({Transfer::Kind::send, {rank + 1, 0}, bytes.data(), bytes.size()});
  }
  if (auto error = carry_out(transport, sequence, allreduce_of(1), messages)) return error;
  if (received != bytes) return Error(ErrorCode::protocol, rank - 1, "wrong bytes");
  return std::nullopt;
}

// All ranks stand in the world before any of them ends; then the last one falls behind.
std::optional<Error> run_ahead_of_the_last(Transport& transport) {
  if (auto error = exchange(transport, 1, allreduce_of(1), 10)) return error;
  if (transport.rank() + 1 == transport.size()) std::this_thread::sleep_for(nap);
  for (std::uint64_t sequence = 2; sequence <= operations; ++sequence) {
    if (auto error = send_along(transport, sequence)) return error;
  }
  return std::nullopt;
}

TEST(Leaving, who_lags_behind_finishes_after_all_others_have_left) {
  for (const int ranks : {2, 5}) {
    const ProcessWorld world(ranks, run_ahead_of_the_last);
    for (int rank = 0; rank < ranks; ++rank) {
      ASSERT_EQ(world.read_line(rank), "formed");
      EXPECT_EQ(world.read_line(rank), "fine");
    }
  }
}

TEST(Leaving, who_lags_behind_finishes_also_without_their_goodbye) {
  for (const int ranks : {2, 5}) {
    const ProcessWorld world(ranks, [](Transport& transport) {
      auto error = run_ahead_of_the_last(transport);
      if (!error && transport.rank() + 1 < transport.size()) ::_exit(0);
      return error;
    });
    for (int rank = 0; rank < ranks; ++rank) {
      ASSERT_EQ(world.read_line(rank), "formed");
      EXPECT_EQ(world.read_line(rank), rank + 1 < ranks ? "" : "fine");
    }
  }
}

// Rank 0 dies in the middle: what it sent before is good, and then nobody waits for more.
TEST(Leaving, what_a_dead_rank_did_not_send_is_missed_at_once) {
  constexpr std::uint64_t last_sent = 5;
  const ProcessWorld world(2, [](Transport& transport) -> std::optional<Error> {
    if (auto error = exchange(transport, 1, allreduce_of(1), 10)) return error;
    if (transport.rank() == 1) std::this_thread::sleep_for(nap);
    const auto start = Transport::Clock::now();
    for (std::uint64_t sequence = 2;; ++sequence) {
      if (transport.rank() == 0 && sequence > last_sent) ::kill(::getpid(), SIGKILL);
      const auto error = send_along(transport, sequence);
      if (!error) continue;
      if (sequence != last_sent + 1) return Error(ErrorCode::internal, "in another operation");
      if (Transport::Clock::now() - start > patience / 2) {
        return Error(ErrorCode::internal, "too late");
      }
      return error;
    }
  });
  ASSERT_EQ(world.read_line(1), "formed");
  const std::string line = world.read_line(1);
  EXPECT_TRUE(line.starts_with("peer_lost 0 ")) << line;
}

// Rank 1 hears that rank 2 is gone while it waits for rank 0, and does not need it until later. The
// connection to it would swallow one more message.
TEST(Leaving, a_message_to_a_dead_rank_is_an_error) {
  const ProcessWorld world(3, [](Transport& transport) -> std::optional<Error> {
    if (auto error = exchange(transport, 1, allreduce_of(1), 10)) return error;
    if (transport.rank() == 2) ::kill(::getpid(), SIGKILL);
    std::byte byte{};
    if (transport.rank() == 0) {
      std::this_thread::sleep_for(200ms);
      auto error =
          carry_out(transport, 2, allreduce_of(1), {{Transfer::Kind::send, {1, 0}, &byte, 1}});
      return error ? error : carry_out(transport, 3, allreduce_of(1), {});
    }
    auto error =
        carry_out(transport, 2, allreduce_of(1), {{Transfer::Kind::recv, {0, 0}, &byte, 1}});
    if (error) return error;
    return carry_out(transport, 3, allreduce_of(1), {{Transfer::Kind::send, {2, 0}, &byte, 1}});
  });
  ASSERT_EQ(world.read_line(1), "formed");
  const std::string line = world.read_line(1);
  EXPECT_TRUE(line.starts_with("peer_lost 2 ")) << line;
}

struct Ends {
  ControlLink leaver;
  ControlLink reader;
};

Ends connected_ends() {
  const auto deadline = Clock::now() + patience;
  const Socket listener = listen_on("127.0.0.1", 0).value();
  Socket out = connect_until(local_address(listener).value(), deadline).value();
  if (!await(listener, POLLIN, deadline)) throw std::runtime_error("no connection came");
  return {ControlLink(1, std::move(out)), ControlLink(0, accept_from(listener).value())};
}

// More notices than the connection takes at once; then the leaver goes, with a notice unread.
// Returns whether the reader gets all of them.
bool gets_all_notices(bool leaver_awaits_arrival) {
  Ends ends = connected_ends();
  const Notice notice;
  Notice taken;
  int missing = 0;
  while (!ends.leaver.has_unsent()) {
    ends.leaver.send(notice);
    ++missing;
  }
  EXPECT_FALSE(ends.leaver.has_arrived());
  ends.reader.send(notice);
  while (ends.leaver.has_unsent()) {  // the kernel has taken all, but not delivered it
    if (ends.reader.receive(taken)) --missing;
    ends.leaver.flush();
  }
  EXPECT_FALSE(ends.leaver.has_arrived());
  while (leaver_awaits_arrival && !ends.leaver.has_arrived()) {
    if (ends.reader.receive(taken)) --missing;
  }
  EXPECT_GT(missing, 0);
  ends.leaver.close();
  ends.reader.send(notice);  // into the void
  ends.reader.send(notice);
  while (ends.reader.is_open()) {
    if (ends.reader.receive(taken)) --missing;
  }
  return missing == 0;
}

TEST(Leaving, what_has_arrived_survives_the_end_of_the_link) {
  EXPECT_TRUE(gets_all_notices(true));
}

TEST(Leaving, what_is_still_on_the_way_does_not) {
  EXPECT_FALSE(gets_all_notices(false));
}

}  // namespace
}  // namespace rondo::process
