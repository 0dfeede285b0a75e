// Who is at the end of the chains of waiting ranks, and what is said about it.

#include "transport/blame.hpp"

#include <gtest/gtest.h>

namespace rondo {
namespace {

Testimony waits_for(std::vector<int> ranks) {
  return {true, std::move(ranks)};
}

TEST(Blame, the_silent_end_of_a_chain_is_the_culprit) {
  const std::vector<Testimony> world = {waits_for({1}), waits_for({2}), {}, waits_for({0})};
  for (const int observer : {0, 1, 3}) {
    EXPECT_EQ(culprits(observer, world), std::vector<int>{2}) << observer;
  }
}

TEST(Blame, all_silent_ends_are_culprits) {
  const std::vector<Testimony> world = {waits_for({3, 1}), {}, waits_for({}), {}};
  EXPECT_EQ(culprits(0, world), (std::vector{1, 3}));
}

TEST(Blame, nobody_who_answered_is_a_culprit) {
  EXPECT_TRUE(culprits(0, {waits_for({1}), waits_for({0})}).empty());
  EXPECT_TRUE(culprits(0, {waits_for({}), waits_for({0})}).empty());
  // Rank 2 is silent, but nobody waits for it.
  EXPECT_TRUE(culprits(0, {waits_for({1}), waits_for({0}), {}}).empty());
}

TEST(Blame, a_slow_call_is_told_as_such) {
  const Error error = out_of_time({waits_for({2, 1}), waits_for({}), waits_for({1})});
  EXPECT_EQ(error.code(), ErrorCode::timeout);
  EXPECT_EQ(error.peer(), -1);
  EXPECT_EQ(error.text(),
            "the deadline passed while all ranks were still at it (rank 0 waited for ranks 1, 2, "
            "rank 2 waited for rank 1); raise the timeout");
}

TEST(Blame, what_nobody_can_know_is_not_told) {
  EXPECT_EQ(out_of_time({waits_for({}), waits_for({})}).text(),
            "the deadline passed while all ranks were still at it; raise the timeout");
  EXPECT_EQ(out_of_time({waits_for({1}), waits_for({0}), {}}).text(),
            "the deadline passed while all ranks that others waited for were still at it (rank 0 "
            "waited for rank 1, rank 1 waited for rank 0); raise the timeout");
}

TEST(Blame, of_many_waiting_ranks_some_are_told) {
  const std::string text = out_of_time(std::vector<Testimony>(1000, waits_for({0}))).text();
  EXPECT_LT(text.size(), 300u);
  EXPECT_NE(text.find("rank 3 waited for rank 0, …)"), std::string::npos) << text;
}

}  // namespace
}  // namespace rondo
