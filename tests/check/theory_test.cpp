// The closed forms, held against numbers worked out by hand.

#include "check/theory.hpp"

#include <gtest/gtest.h>

namespace rondo {
namespace {

Theory of(Algorithm algorithm, Collective collective, int ranks, int radix = 2) {
  return theory({algorithm, collective, ranks, 0, radix});
}

TEST(Theory, RingAllreduceSendsTwiceTheVectorLessTwoSegments) {
  const Theory ring = of(Algorithm::ring, Collective::allreduce, 4);
  EXPECT_EQ(ring.segments, 4u);
  EXPECT_EQ(ring.rounds, 6u);
  EXPECT_EQ(ring.max_sent, 6u);
  EXPECT_EQ(ring.total_sent, 24u);
  EXPECT_EQ(ring.steps, 48u);
}

TEST(Theory, BinomialTreeTakesTheLogarithmOfRounds) {
  const std::uint32_t rounds[] = {1, 2, 2, 3, 3, 3, 3, 4};  // 2 … 9 ranks
  for (int ranks = 2; ranks <= 9; ++ranks) {
    EXPECT_EQ(of(Algorithm::knomial, Collective::reduce, ranks).rounds, rounds[ranks - 2]);
  }
  // Five ranks: 000, 001, 010, 011, 100. The longest way down is to 011.
  EXPECT_EQ(of(Algorithm::knomial, Collective::broadcast, 5).rounds, 2u);
  EXPECT_EQ(of(Algorithm::knomial, Collective::broadcast, 8).rounds, 3u);
}

TEST(Theory, LargeRadixIsAStar) {
  const Theory star = of(Algorithm::knomial, Collective::reduce, 6, 8);
  EXPECT_EQ(star.rounds, 5u);  // sums are added one after the other
  EXPECT_EQ(of(Algorithm::knomial, Collective::broadcast, 6, 8).rounds, 1u);
}

TEST(Theory, DoubleTreeOfEightRanks) {
  // Up: 0 ← 4 ← {2, 6} ← leaves: two sums at 2, two at 4, one at 0. Down: three levels.
  const Theory tree = of(Algorithm::double_tree, Collective::allreduce, 8);
  EXPECT_EQ(tree.rounds, 5u + 3u);
  EXPECT_EQ(tree.max_sent, 4u);
  EXPECT_EQ(tree.total_sent, 28u);
}

TEST(Theory, AWorldOfOneSendsNothing) {
  const Theory alone = of(Algorithm::ring, Collective::allreduce, 1);
  EXPECT_EQ(alone.rounds, 0u);
  EXPECT_EQ(alone.total_sent, 0u);
  EXPECT_EQ(alone.steps, 1u);
}

TEST(Theory, CirculantReachesBothBounds) {
  const Theory sums = of(Algorithm::circulant, Collective::reduce_scatter, 5);  // 5 → 3 → 2 → 1
  EXPECT_EQ(sums.rounds, 3u);
  EXPECT_EQ(sums.max_sent, 4u);
  // Two segments go to rank r+3, one each to r+2 and r+1; each rank copies a segment.
  EXPECT_EQ(sums.steps, 2u * 15 + 5);
  EXPECT_EQ(of(Algorithm::circulant, Collective::allreduce, 256).rounds, 16u);
  EXPECT_EQ(of(Algorithm::circulant, Collective::allreduce, 257).rounds, 18u);
  // Where their number is even, nothing has to be copied.
  EXPECT_EQ(of(Algorithm::circulant, Collective::allreduce, 256).steps, 256u * 2 * 16);
  EXPECT_EQ(of(Algorithm::circulant, Collective::allreduce, 257).steps, 257u * (2 * 18 + 1));
}

TEST(Theory, RanksLeftOverByAHypercubeTakeTwoMoreRounds) {
  const std::uint32_t rounds[] = {1, 3, 2, 4, 4, 4, 3, 5};  // 2 … 9 ranks
  for (int ranks = 2; ranks <= 9; ++ranks) {
    EXPECT_EQ(of(Algorithm::recursive_doubling, Collective::allreduce, ranks).rounds,
              rounds[ranks - 2]);
  }
  const Theory halving = of(Algorithm::halving_doubling, Collective::allreduce, 6);
  EXPECT_EQ(halving.segments, 4u);
  EXPECT_EQ(halving.rounds, 2u * 2 + 2);
  EXPECT_EQ(halving.max_sent, 2u + 1 + 1 + 2 + 4);
  EXPECT_EQ(halving.total_sent, 4u * 6 + 2 * 2 * 4);
}

TEST(Theory, PrefixesDouble) {
  const Theory scan = of(Algorithm::recursive_doubling, Collective::scan, 6);
  EXPECT_EQ(scan.rounds, 3u);
  EXPECT_EQ(scan.total_sent, 5u + 4 + 2);  // at distances 1, 2 and 4
  const Theory exscan = of(Algorithm::recursive_doubling, Collective::exscan, 6);
  EXPECT_EQ(exscan.rounds, 4u);
  EXPECT_EQ(exscan.total_sent, 5u + 4 + 3 + 1);  // one up, then distances 1, 2 and 4 among five
}

TEST(Theory, GatherOverATreePassesSubtrees) {
  // Six ranks: 0 ← {1, 2, 4}, 2 ← 3, 4 ← 5.
  const Theory gather = of(Algorithm::knomial, Collective::gather, 6);
  EXPECT_EQ(gather.rounds, 3u);
  EXPECT_EQ(gather.max_sent, 2u);
  EXPECT_EQ(gather.total_sent, 1u + 2 + 1 + 2 + 1);
  EXPECT_EQ(gather.steps, 2u * 5 + 3);  // three ranks put their own block beside others
  const Theory scatter = of(Algorithm::knomial, Collective::scatter, 6);
  EXPECT_EQ(scatter.rounds, 2u);
  EXPECT_EQ(scatter.max_sent, 5u);
  // From root 1 on, rank 0 comes last, below node 4: one subtree is split.
  const Theory split = theory({Algorithm::knomial, Collective::gather, 6, 1});
  EXPECT_EQ(split.steps, gather.steps + 2);
}

TEST(Theory, AlltoallSendsBlocksOftenInFewRoundsOrOnceInMany) {
  const Theory bruck = of(Algorithm::bruck, Collective::alltoall, 7);
  EXPECT_EQ(bruck.rounds, 3u);
  EXPECT_EQ(bruck.max_sent, 9u);  // slots 1 3 5, 2 3 6, 4 5 6
  const Theory pairwise = of(Algorithm::pairwise, Collective::alltoall, 7);
  EXPECT_EQ(pairwise.rounds, 6u);
  EXPECT_EQ(pairwise.max_sent, 6u);
}

TEST(Theory, ScatterAndAllgatherBringEverythingOnce) {
  const Theory broadcast = of(Algorithm::scatter_allgather, Collective::broadcast, 5);
  EXPECT_EQ(broadcast.rounds, 3u + 4);
  EXPECT_EQ(broadcast.total_sent, 20u);
  EXPECT_EQ(broadcast.max_sent, 8u);
}

TEST(Theory, RingLinksGoToTheSuccessorOnly) {
  const Plan plan{Algorithm::ring, Collective::allreduce, 4, 0, 2};
  EXPECT_TRUE(is_planned_link(plan, 3, 0, 0));
  EXPECT_FALSE(is_planned_link(plan, 0, 3, 0));
  EXPECT_FALSE(is_planned_link(plan, 0, 2, 0));
  EXPECT_FALSE(is_planned_link(plan, 0, 1, 1));
}

Plan in_groups(Algorithm algorithm, Collective collective, std::vector<int> groups, int channels) {
  std::vector<int> order;
  for (const int size : groups) {
    for (int i = 0; i < size; ++i) order.push_back(static_cast<int>(order.size()));
  }
  Plan plan{algorithm, collective, static_cast<int>(order.size())};
  plan.channels = channels;
  plan.arrangement = Arrangement::make(std::move(order), std::move(groups)).value();
  return plan;
}

TEST(Theory, RingsOfSeveralChannelsTakeOtherWaysThroughAGroup) {
  const Plan plan = in_groups(Algorithm::ring, Collective::allreduce, {4, 4}, 2);
  EXPECT_EQ(theory(plan).segments, 16u);
  EXPECT_EQ(theory(plan).rounds, 14u);
  EXPECT_EQ(theory(plan).max_sent, 28u);
  EXPECT_TRUE(is_planned_link(plan, 3, 4, 0));  // 0 1 2 3 4 5 6 7
  EXPECT_FALSE(is_planned_link(plan, 3, 0, 0));
  EXPECT_TRUE(is_planned_link(plan, 1, 6, 1));  // 2 3 0 1 6 7 4 5
  EXPECT_TRUE(is_planned_link(plan, 3, 0, 1));
  EXPECT_FALSE(is_planned_link(plan, 3, 4, 1));
  EXPECT_FALSE(is_planned_link(plan, 3, 4, 2));
}

TEST(Theory, TwoLevelsSendLittleBetweenGroups) {
  // Two groups of four with four stripes: 3 + 2 + 3 rounds. Of the 8 segments each rank sends three
  // pairs in each turn inside, and 2 segments to the other group.
  const Theory even = theory(in_groups(Algorithm::two_level, Collective::allreduce, {4, 4}, 4));
  EXPECT_EQ(even.segments, 8u);
  EXPECT_EQ(even.rounds, 8u);
  EXPECT_EQ(even.max_sent, 3u * 2 + 2 + 3 * 2);
  EXPECT_EQ(even.total_sent, 8u * 14);
  // One stripe with its owner at the head of each group; a rank in the middle of the three passes
  // its sum of 2 segments on and the results, and the owner sends 2 segments besides.
  const Theory uneven = theory(in_groups(Algorithm::two_level, Collective::allreduce, {1, 3}, 1));
  EXPECT_EQ(uneven.rounds, 2u + 2 + 2);
  EXPECT_EQ(uneven.max_sent, 4u);
  EXPECT_EQ(uneven.total_sent, 2u * (2 + 2) + 2 * 2);
}

TEST(Theory, ChainsUnderTreesCrossEachGroupOnce) {
  // Chains of 3, 2 and 1 below the groups 0 ← 2 ← 1 (tree 0) and 1 ← 0 ← 2 (tree 1).
  const Plan plan = in_groups(Algorithm::chain_tree, Collective::allreduce, {3, 2, 1}, 1);
  const Theory theory_of_all = theory(plan);
  EXPECT_EQ(theory_of_all.total_sent, 2u * 2 * 5);
  EXPECT_EQ(theory_of_all.steps, 40u);
  int crossing = 0;
  const auto group = [&](int rank) { return plan.arrangement->group_of(rank); };
  for (int from = 0; from < 6; ++from) {
    for (int to = 0; to < 6; ++to) {
      for (const int tree : {0, 1}) {
        crossing += from != to && group(from) != group(to) && is_planned_link(plan, from, to, tree);
      }
    }
  }
  EXPECT_EQ(crossing, 2 * 2 * 2);  // trees, groups but one, both ways
  EXPECT_EQ(theory(in_groups(Algorithm::chain_tree, Collective::broadcast, {4}, 1)).rounds, 3u);
  EXPECT_EQ(theory(in_groups(Algorithm::chain_tree, Collective::broadcast, {4, 4}, 1)).rounds, 4u);
}

int links_of(const Plan& plan) {
  int links = 0;
  for (int from = 0; from < plan.ranks; ++from) {
    for (int to = 0; to < plan.ranks; ++to) {
      for (int channel = 0; channel < 4; ++channel) {
        links += from != to && is_planned_link(plan, from, to, channel) ? 1 : 0;
      }
    }
  }
  return links;
}

TEST(Theory, TreesHaveALinkLessThanRanks) {
  for (int ranks = 2; ranks <= 40; ++ranks) {
    for (const int root : {0, ranks - 1}) {
      EXPECT_EQ(links_of({Algorithm::knomial, Collective::broadcast, ranks, root, 3}), ranks - 1);
      EXPECT_EQ(links_of({Algorithm::double_tree, Collective::reduce, ranks, root, 2}),
                2 * (ranks - 1));
    }
    EXPECT_EQ(links_of({Algorithm::double_tree, Collective::allreduce, ranks, 0, 2}),
              4 * (ranks - 1));
  }
}

}  // namespace
}  // namespace rondo
