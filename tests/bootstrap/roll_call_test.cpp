#include "bootstrap/roll_call.hpp"

#include <gtest/gtest.h>

#include "base/text.hpp"

namespace rondo {
namespace {

using Answer = RollCall::Answer;
using std::chrono::seconds;

wire::Hello hello_of(int rank, int size) {
  wire::Hello hello;
  hello.rank = rank;
  hello.size = size;
  hello.pid = 100 + rank;
  hello.host = concat("h", rank);
  hello.incarnation = static_cast<std::uint64_t>(rank) + 1;
  hello.agreement = "algorithm=ring\nradix=2\n";
  return hello;
}

RollCall call_of(int size, const std::vector<int>& came) {
  RollCall call(hello_of(0, size));
  for (const int rank : came) EXPECT_EQ(call.take(hello_of(rank, size)), Answer::present);
  return call;
}

std::string text_of(const RollCall& call, bool time_is_up = true) {
  const Result<> verdict = call.verdict(seconds(60), time_is_up);
  EXPECT_FALSE(verdict.ok());
  return verdict ? "" : verdict.error().text();
}

#define EXPECT_SAYS(call, part) \
  EXPECT_NE(text_of(call).find(part), std::string::npos) << text_of(call) << "\n not: " << part

TEST(RollCall, EverybodyCame) {
  for (int size = 1; size <= 8; ++size) {
    RollCall call(hello_of(0, size));
    for (int rank = size - 1; rank > 0; --rank) {
      EXPECT_FALSE(call.everybody_came());
      EXPECT_EQ(call.take(hello_of(rank, size)), Answer::present);
    }
    EXPECT_TRUE(call.everybody_came());
    EXPECT_TRUE(call.verdict(seconds(1), false).ok());
  }
}

TEST(RollCall, MissingRanks) {
  EXPECT_SAYS(call_of(7, {1, 3, 4, 6}), "ranks 2, 5 did not join within 60 s");
  const Result<> verdict = call_of(3, {1}).verdict(std::chrono::milliseconds(300), true);
  EXPECT_EQ(verdict.error().code(), ErrorCode::join_failed);
  EXPECT_EQ(verdict.error().peer(), 2);
  EXPECT_NE(verdict.error().text().find("rank 2 did not join within 300 ms"), std::string::npos);
}

TEST(RollCall, ADuplicateIsSentAwayAndTheFirstStays) {
  RollCall call = call_of(3, {1});
  wire::Hello second = hello_of(1, 3);
  second.incarnation = 99;
  second.pid = 555;
  second.host = "elsewhere";
  EXPECT_EQ(call.take(second), Answer::duplicate);
  const std::string reason = call.reason_for_duplicate(second);
  EXPECT_NE(reason.find("pid 555 on elsewhere"), std::string::npos) << reason;
  EXPECT_NE(reason.find("pid 101 on h1"), std::string::npos) << reason;
  EXPECT_SAYS(call, "rank 1 (pid 555 on elsewhere) was sent away");
  EXPECT_EQ(call.take(hello_of(2, 3)), Answer::present);
  EXPECT_TRUE(call.verdict(seconds(1), false).ok()) << "the job is complete without it";
}

TEST(RollCall, ADuplicateOfRankZero) {
  RollCall call = call_of(2, {});
  wire::Hello second = hello_of(0, 2);
  second.incarnation = 99;
  EXPECT_EQ(call.take(second), Answer::duplicate);
}

TEST(RollCall, TheSameRankMayTryAgain) {
  RollCall call = call_of(3, {1});
  EXPECT_EQ(call.take(hello_of(1, 3)), Answer::returned);
  EXPECT_FALSE(call.everybody_came());
}

TEST(RollCall, APlaceIsFreeAgainAfterItsRankLeft) {
  RollCall call = call_of(3, {1, 2});
  call.leave(1);
  EXPECT_FALSE(call.everybody_came());
  EXPECT_SAYS(call, "rank 1 (pid 101 on h1) came and left again");
  wire::Hello successor = hello_of(1, 3);
  successor.incarnation = 77;
  EXPECT_EQ(call.take(successor), Answer::present);
  EXPECT_TRUE(call.verdict(seconds(1), false).ok());
}

TEST(RollCall, DifferentSizes) {
  RollCall call = call_of(4, {1, 2});
  EXPECT_EQ(call.take(hello_of(3, 5)), Answer::disagrees);
  EXPECT_TRUE(call.everybody_came());
  EXPECT_SAYS(call, "rank 3 (pid 103 on h3) says 5 ranks, rank 0 (pid 100 on h0) says 4");
}

TEST(RollCall, RanksOutOfRange) {
  for (const int rank : {-1, 4, 1000}) {
    RollCall call = call_of(4, {1, 2});
    EXPECT_EQ(call.take(hello_of(rank, 4)), Answer::disagrees);
    EXPECT_SAYS(call, concat("rank ", rank));
    EXPECT_SAYS(call, "is out of range for 4 ranks");
    EXPECT_SAYS(call, "rank 3 did not join");
  }
}

TEST(RollCall, DifferentVersionsNameBoth) {
  RollCall call = call_of(2, {});
  wire::Hello other = hello_of(1, 2);
  other.version = 7;
  EXPECT_EQ(call.take(other), Answer::disagrees);
  EXPECT_SAYS(call, "speaks protocol version 7");
  EXPECT_SAYS(call, concat("speaks ", wire::protocol_version));
}

TEST(RollCall, DifferentOptionsNameKeyValuesAndRanks) {
  RollCall call = call_of(5, {1, 2});
  wire::Hello other = hello_of(3, 5);
  other.agreement = "algorithm=knomial\nradix=2\n";
  EXPECT_EQ(call.take(other), Answer::present);
  other = hello_of(4, 5);
  other.agreement = "algorithm=ring\nradix=2\nextra=1\n";
  EXPECT_EQ(call.take(other), Answer::present);
  EXPECT_SAYS(call, "option algorithm differs: rank 3 has knomial, ranks 0-2, 4 have ring");
  EXPECT_SAYS(call, "option extra differs: rank 4 has 1, the others do not know it");
  EXPECT_EQ(text_of(call).find("radix"), std::string::npos) << text_of(call);
}

TEST(RollCall, WhoMayStillComeIsNotCalledMissing) {
  RollCall call = call_of(4, {1});
  (void)call.take(hello_of(3, 5));
  EXPECT_EQ(text_of(call, false).find("did not join"), std::string::npos);
}

TEST(RollCall, AThousandLiarsFitIntoOneText) {
  RollCall call = call_of(2000, {});
  for (int rank = 1; rank < 2000; ++rank) (void)call.take(hello_of(rank, 2001));
  EXPECT_LT(text_of(call).size(), wire::refusal_bytes_most);
}

}  // namespace
}  // namespace rondo
