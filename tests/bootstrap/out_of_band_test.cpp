#include "bootstrap/out_of_band.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <optional>
#include <thread>
#include <vector>

#include "bootstrap/address.hpp"
#include "harness/out_of_band.hpp"

namespace rondo {
namespace {

using process::Membership;
using testing::ThreadsAllgather;

struct Outcome {
  std::optional<Membership> membership;
  std::optional<Error> error;
};

Launch launch_of(int rank, int size) {
  Launch launch;
  launch.rank = rank;
  launch.size = size;
  return launch;
}

using Change = std::function<void(int rank, OutOfBand& outside, Result<std::string>& agreement)>;

std::vector<Outcome> form(
    int ranks, const Change& change = [](int, OutOfBand&, Result<std::string>&) {}) {
  ThreadsAllgather allgather(ranks);
  std::vector<Outcome> outcomes(static_cast<std::size_t>(ranks));
  std::vector<std::jthread> threads;
  for (int rank = 0; rank < ranks; ++rank) {
    threads.emplace_back([&, rank] {
      OutOfBand outside = allgather.of(rank);
      Result<std::string> agreement = std::string("color=red\n");
      change(rank, outside, agreement);
      Result<Membership> formed = form_world(launch_of(rank, ranks), outside, agreement);
      Outcome& outcome = outcomes[static_cast<std::size_t>(rank)];
      if (formed) {
        outcome.membership = std::move(formed).value();
      } else {
        outcome.error = formed.error();
      }
    });
  }
  threads.clear();
  return outcomes;
}

// All ranks got an error of that code about that rank, which says these words.
void expect_errors(const std::vector<Outcome>& outcomes, int culprit, const std::string& words) {
  for (std::size_t rank = 0; rank < outcomes.size(); ++rank) {
    const std::optional<Error>& error = outcomes[rank].error;
    ASSERT_TRUE(error) << "rank " << rank;
    EXPECT_EQ(error->code(), ErrorCode::join_failed) << "rank " << rank << ": " << error->text();
    EXPECT_EQ(error->peer(), culprit) << "rank " << rank << ": " << error->text();
    EXPECT_NE(error->text().find(words), std::string::npos) << error->text();
  }
}

TEST(OutOfBandWorld, RanksOfOneHostKnowEachOtherOnLoopback) {
  const std::vector<Outcome> outcomes = form(3);
  for (int rank = 0; rank < 3; ++rank) {
    const Outcome& outcome = outcomes[static_cast<std::size_t>(rank)];
    ASSERT_TRUE(outcome.membership) << (outcome.error ? outcome.error->text() : "");
    const Membership& own = *outcome.membership;
    EXPECT_EQ(own.rank, rank);
    EXPECT_EQ(own.token, outcomes[0].membership->token);
    ASSERT_EQ(own.members.size(), 3u);
    for (const process::Member& member : own.members) {
      EXPECT_TRUE(is_loopback(member.address)) << member.address;
      EXPECT_NE(member.port, 0);
      EXPECT_EQ(member.pid, ::getpid());
    }
    const process::Address bound = process::local_address(own.listener).value();
    EXPECT_EQ(bound.port, own.members[static_cast<std::size_t>(rank)].port);
    EXPECT_EQ(bound.host, own.members[static_cast<std::size_t>(rank)].address);
  }
  EXPECT_NE(outcomes[0].membership->token, Bits128{});
}

TEST(OutOfBandWorld, TwoWorldsHaveDifferentTokens) {
  EXPECT_NE(form(2)[0].membership->token, form(2)[0].membership->token);
}

TEST(OutOfBandWorld, AWorldOfOneNeedsNoMeans) {
  const Result<Membership> formed = form_world(launch_of(0, 1), {}, std::string());
  ASSERT_TRUE(formed);
  EXPECT_EQ(formed.value().members.size(), 1u);
}

TEST(OutOfBandWorld, ARankThatDoesNotExistIsRefused) {
  const Result<Membership> formed = form_world(launch_of(3, 3), {}, std::string());
  ASSERT_FALSE(formed);
  EXPECT_EQ(formed.error().code(), ErrorCode::invalid_argument);
  EXPECT_EQ(formed.error().text(), "rank 3 of 3 ranks does not exist");
}

TEST(OutOfBandWorld, WithoutMeansSeveralRanksAreRefused) {
  const Result<Membership> formed = form_world(launch_of(0, 2), {}, std::string());
  ASSERT_FALSE(formed);
  EXPECT_EQ(formed.error().code(), ErrorCode::invalid_argument);
}

TEST(OutOfBandWorld, AllHearWhoseOptionsDiffer) {
  const auto outcomes = form(3, [](int rank, OutOfBand&, Result<std::string>& agreement) {
    if (rank == 2) agreement = std::string("color=blue\n");
  });
  expect_errors(outcomes, -1, "option color differs: rank 2 has blue, ranks 0, 1 have red");
}

TEST(OutOfBandWorld, AllHearWhyARankCannotTakePart) {
  const auto outcomes = form(3, [](int rank, OutOfBand&, Result<std::string>& agreement) {
    if (rank == 1) agreement = Error(ErrorCode::join_failed, 1, "RONDO_RADIX=x: expected a number");
  });
  expect_errors(outcomes, 1, "RONDO_RADIX=x: expected a number");
  EXPECT_NE(outcomes[0].error->text().find("rank 1 cannot take part"), std::string::npos);
  EXPECT_EQ(outcomes[1].error->text(), "RONDO_RADIX=x: expected a number");
}

// Bytes of what `rank` gives are changed on their way, in the given call of allgather.
Change damage(int rank, int call, std::size_t offset) {
  return [=](int own, OutOfBand& outside, Result<std::string>&) {
    if (own != rank) return;
    outside.allgather = [=, calls = 0, all_of = outside.allgather](
                            std::span<const std::byte> mine, std::span<std::byte> all) mutable {
      std::vector<std::byte> changed(mine.begin(), mine.end());
      if (++calls == call) changed[offset] ^= std::byte{0x55};
      all_of(changed, all);
    };
  };
}

TEST(OutOfBandWorld, ARankOfAnotherVersionIsNamed) {
  expect_errors(form(3, damage(2, 1, 8)), 2, "rank 2 speaks another version");
}

TEST(OutOfBandWorld, AnAllgatherThatMixesUpRanksIsFound) {
  expect_errors(form(3, damage(1, 1, 12)), 1, "mixes up ranks");
}

TEST(OutOfBandWorld, WhatWasDamagedIsNotBelieved) {
  constexpr std::size_t first_of_hello = 12;
  expect_errors(form(3, damage(1, 2, first_of_hello)), 1, "what rank 1 said was damaged");
}

// As between hosts: each rank takes the other one for one of another locality. Their addresses are
// the same here, and would lead each rank to itself.
TEST(OutOfBandWorld, ARankElsewhereHasToBeReachedByAnAddressOfItsHost) {
  const auto outcomes = form(2, [](int rank, OutOfBand& outside, Result<std::string>&) {
    outside.allgather = [=, calls = 0, all_of = outside.allgather](
                            std::span<const std::byte> mine, std::span<std::byte> all) mutable {
      constexpr std::size_t locality = 24;
      all_of(mine, all);
      if (++calls == 1)
        all[static_cast<std::size_t>(1 - rank) * mine.size() + locality] ^= std::byte{1};
    };
  });
  for (int rank = 0; rank < 2; ++rank) {
    const std::optional<Error>& error = outcomes[static_cast<std::size_t>(rank)].error;
    ASSERT_TRUE(error);
    EXPECT_EQ(error->code(), ErrorCode::join_failed);
    EXPECT_EQ(error->peer(), 1 - rank);
    EXPECT_NE(error->text().find("set RONDO_LISTEN"), std::string::npos) << error->text();
  }
}

TEST(OutOfBandWorld, WhatTheMeansThrowIsPassedOn) {
  OutOfBand outside{0, 2, [](auto, auto) { throw std::runtime_error("the store is gone"); },
                    nullptr};
  EXPECT_THROW((void)form_world(launch_of(0, 2), outside, std::string()), std::runtime_error);
}

}  // namespace
}  // namespace rondo
