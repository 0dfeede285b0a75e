// Ranks that call different things hear of it, all of them, soon, and in words that name both
// calls.

#include <gtest/gtest.h>

#include <thread>

#include "transport/process_world.hpp"

namespace rondo::process {
namespace {

constexpr auto soon = std::chrono::seconds(1);

struct Difference {
  const char* name;
  Call call;
};

const Call usual = {Collective::allreduce, DType::f32, Op::sum, 0, 1000, 5};

std::vector<Difference> differences() {
  return {
      {"count", {Collective::allreduce, DType::f32, Op::sum, 0, 1001, 5}},
      {"dtype", {Collective::allreduce, DType::i32, Op::sum, 0, 1000, 5}},
      {"op", {Collective::allreduce, DType::f32, Op::max, 0, 1000, 5}},
      {"collective", {Collective::barrier, DType::u8, Op::sum, 0, 0, 5}},
      {"root", {Collective::broadcast, DType::f32, Op::sum, 1, 1000, 5}},
      {"plan", {Collective::allreduce, DType::f32, Op::sum, 0, 1000, 6}},
  };
}

TEST(Mismatch, all_ranks_name_both_calls_soon) {
  for (int ranks = 2; ranks <= 4; ++ranks) {
    for (int odd = 0; odd < ranks; ++odd) {
      for (const Difference& difference : differences()) {
        SCOPED_TRACE(testing::Message()
                     << ranks << " ranks, rank " << odd << " differs in " << difference.name);
        const Transports world = make_world(ranks);
        on_all_ranks(ranks, [&](int rank) {
          ASSERT_FALSE(exchange(*world[rank], 1, usual, 4000));
          const auto start = Transport::Clock::now();
          const Call& call = rank == odd ? difference.call : usual;
          const auto error = exchange(*world[rank], 2, call, 4000);
          EXPECT_LT(Transport::Clock::now() - start, soon);
          ASSERT_TRUE(error);
          EXPECT_EQ(error->code(), ErrorCode::mismatch) << error->text();
          EXPECT_NE(error->text().find(describe(usual)), std::string::npos) << error->text();
          EXPECT_NE(error->text().find(describe(difference.call)), std::string::npos)
              << error->text();
        });
      }
    }
  }
}

// A ring: ranks that are not neighbours of the odd one hear of it over the control links.
std::optional<Error> pass_round(Transport& transport, std::uint64_t sequence, const Call& call) {
  std::vector<std::byte> bytes(8 << 20);
  std::vector<std::byte> received(bytes.size());
  const int size = transport.size();
  const int rank = transport.rank();
  return carry_out(
      transport, sequence, call,
      {{Transfer::Kind::send, {(rank + 1) % size, 0}, bytes.data(), bytes.size()},
       {Transfer::Kind::recv, {(rank + size - 1) % size, 0}, received.data(), received.size()},
       {Transfer::Kind::send, {(rank + 1) % size, 0}, bytes.data(), bytes.size()},
       {Transfer::Kind::recv, {(rank + size - 1) % size, 0}, received.data(), received.size()}});
}

TEST(Mismatch, reaches_ranks_that_are_not_neighbours) {
  const int ranks = 4;
  const Transports world = make_world(ranks);
  on_all_ranks(ranks, [&](int rank) {
    ASSERT_FALSE(pass_round(*world[rank], 1, usual));
    auto error = pass_round(*world[rank], 2, rank == 2 ? differences()[0].call : usual);
    // Rank 0 may have been served by rank 3 before that one heard of rank 2.
    if (rank == 0 && !error) error = pass_round(*world[rank], 3, usual);
    ASSERT_TRUE(error);
    EXPECT_EQ(error->code(), ErrorCode::mismatch) << error->text();
  });
}

// Both ranks only send, so that neither waits for the frame that would tell: the frame that arrives
// is looked at all the same while the own message does not get through.
TEST(Mismatch, two_roots_find_out) {
  const Transports world = make_world(2);
  std::vector<std::byte> bytes(64 << 20);
  on_all_ranks(2, [&](int rank) {
    const Call call = {Collective::broadcast, DType::u8, Op::sum, rank, bytes.size(), 5};
    const auto error = carry_out(
        *world[rank], 1, call, {{Transfer::Kind::send, {1 - rank, 0}, bytes.data(), bytes.size()}});
    ASSERT_TRUE(error);
    EXPECT_EQ(error->code(), ErrorCode::mismatch) << error->text();
    EXPECT_NE(error->text().find("root 0"), std::string::npos) << error->text();
    EXPECT_NE(error->text().find("root 1"), std::string::npos) << error->text();
  });
}

// Nobody sends anything: each one waits for the root that it believes in.
TEST(Mismatch, ranks_that_wait_for_each_other_find_out) {
  for (int ranks = 2; ranks <= 4; ++ranks) {
    const Transports world = make_world(ranks);
    on_all_ranks(ranks, [&](int rank) {
      const int root = (rank + 1) % ranks;
      const Call call = {Collective::broadcast, DType::u8, Op::sum, root, 1, 5};
      std::byte byte{};
      const auto start = Transport::Clock::now();
      const auto error =
          carry_out(*world[rank], 1, call, {{Transfer::Kind::recv, {root, 0}, &byte, 1}});
      EXPECT_LT(Transport::Clock::now() - start, soon);
      ASSERT_TRUE(error);
      EXPECT_EQ(error->code(), ErrorCode::mismatch) << error->text();
    });
  }
}

// A claim that comes before this rank has begun the operation is compared when it begins.
TEST(Mismatch, a_late_rank_finds_out_when_it_begins) {
  const Transports world = make_world(2);
  on_all_ranks(2, [&](int rank) {
    if (rank == 1) std::this_thread::sleep_for(std::chrono::milliseconds(600));
    const Call call = {Collective::broadcast, DType::u8, Op::sum, 1 - rank, 1, 5};
    std::byte byte{};
    const auto error =
        carry_out(*world[rank], 1, call, {{Transfer::Kind::recv, {1 - rank, 0}, &byte, 1}});
    ASSERT_TRUE(error);
    EXPECT_EQ(error->code(), ErrorCode::mismatch) << error->text();
  });
}

TEST(Mismatch, a_rank_that_only_sent_hears_of_it_in_its_next_call) {
  const Transports world = make_world(2);
  std::vector<std::byte> bytes(100);
  on_all_ranks(2, [&](int rank) {
    const Call call = {Collective::broadcast, DType::u8, Op::sum, rank, bytes.size(), 5};
    auto error = carry_out(*world[rank], 1, call,
                           {{Transfer::Kind::send, {1 - rank, 0}, bytes.data(), bytes.size()}});
    if (!error) error = exchange(*world[rank], 2, usual, 10);
    ASSERT_TRUE(error);
    EXPECT_EQ(error->code(), ErrorCode::mismatch) << error->text();
    EXPECT_NE(error->text().find("as its operation 1"), std::string::npos) << error->text();
  });
}

TEST(Mismatch, no_byte_of_a_differing_message_is_written) {
  const Transports world = make_world(2);
  on_all_ranks(2, [&](int rank) {
    std::vector<std::byte> bytes(1000, rank == 0 ? std::byte{0xee} : std::byte{0x11});
    const auto kind = rank == 0 ? Transfer::Kind::send : Transfer::Kind::recv;
    // The receiver expects more than what comes, then less.
    const auto error = carry_out(*world[rank], 1, rank == 0 ? usual : differences()[0].call,
                                 {{kind, {1 - rank, 0}, bytes.data(), rank == 0 ? 1000u : 900u}});
    if (rank == 0) return;
    ASSERT_TRUE(error);
    EXPECT_EQ(bytes, std::vector<std::byte>(1000, std::byte{0x11}));
  });
}

TEST(Mismatch, messages_of_one_call_that_differ_in_size_are_a_protocol_error) {
  const Transports world = make_world(2);
  on_all_ranks(2, [&](int rank) {
    std::vector<std::byte> bytes(64 << 20);
    const std::size_t size = bytes.size() - static_cast<std::size_t>(rank);
    const auto kind = rank == 0 ? Transfer::Kind::send : Transfer::Kind::recv;
    const auto error =
        carry_out(*world[rank], 1, usual, {{kind, {1 - rank, 0}, bytes.data(), size}});
    ASSERT_TRUE(error);
    EXPECT_EQ(error->code(), ErrorCode::protocol) << error->text();
    EXPECT_NE(error->text().find("67108864 bytes"), std::string::npos) << error->text();
    EXPECT_NE(error->text().find("67108863"), std::string::npos) << error->text();
  });
}

}  // namespace
}  // namespace rondo::process
