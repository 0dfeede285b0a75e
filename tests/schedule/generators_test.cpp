#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>

#include "golden.hpp"
#include "rondo/schedule.hpp"
#include "schedule/generators.hpp"
#include "schedule/tree.hpp"

namespace rondo::testing {
namespace {

std::string text_of(Plan plan) {
  return to_text(make_schedule(plan).value());
}

Plan arranged(Plan plan, std::vector<int> order, std::vector<int> groups, int channels = 1,
              std::vector<std::uint32_t> weights = {}) {
  plan.channels = channels;
  plan.arrangement =
      Arrangement::make(std::move(order), std::move(groups), std::move(weights)).value();
  return plan;
}

TEST(Generators, SmallSchedulesAreAsPeopleReadThem) {
  using A = Algorithm;
  using C = Collective;
  expect_golden("ring_allreduce_3.schedule", text_of({A::ring, C::allreduce, 3, 0, 2}));
  expect_golden("ring_reduce_scatter_4.schedule", text_of({A::ring, C::reduce_scatter, 4, 0, 2}));
  expect_golden("double_tree_allreduce_4.schedule",
                text_of({A::double_tree, C::allreduce, 4, 0, 2}));
  expect_golden("double_tree_reduce_5.schedule", text_of({A::double_tree, C::reduce, 5, 1, 2}));
  expect_golden("one_shot_allreduce_3.schedule", text_of({A::one_shot, C::allreduce, 3, 0, 2}));
  expect_golden("two_shot_allreduce_3.schedule", text_of({A::two_shot, C::allreduce, 3, 0, 2}));
  expect_golden("ring_weighted_3.schedule",
                text_of(arranged({A::ring, C::allreduce, 3}, {2, 0, 1}, {}, 1, {5, 0, 7})));
  expect_golden("ring_channels_4.schedule",
                text_of(arranged({A::ring, C::reduce_scatter, 4}, {0, 2, 1, 3}, {2, 2}, 2)));
  expect_golden("two_level_5.schedule",
                text_of(arranged({A::two_level, C::allreduce, 5}, {0, 1, 2, 3, 4}, {2, 3}, 2)));
  expect_golden("chain_tree_6.schedule",
                text_of(arranged({A::chain_tree, C::allreduce, 6}, {0, 1, 2, 3, 4, 5}, {2, 3, 1})));
  expect_golden("knomial_broadcast_5.schedule", text_of({A::knomial, C::broadcast, 5, 2, 3}));
  expect_golden("circulant_allreduce_5.schedule", text_of({A::circulant, C::allreduce, 5}));
  expect_golden("halving_doubling_allreduce_6.schedule",
                text_of({A::halving_doubling, C::allreduce, 6}));
  expect_golden("bruck_alltoall_5.schedule", text_of({A::bruck, C::alltoall, 5}));
  expect_golden("scatter_allgather_broadcast_5.schedule",
                text_of({A::scatter_allgather, C::broadcast, 5, 1}));
}

TEST(Generators, ArgumentsAreChecked) {
  const auto error_of = [](Plan plan, int rank) { return make_program(plan, rank).error(); };
  const Plan good{Algorithm::ring, Collective::allreduce, 4, 0, 2};
  EXPECT_TRUE(make_program(good, 3).ok());
  EXPECT_EQ(error_of(good, 4).text(), "rank 4 is outside 0…3");
  EXPECT_EQ(error_of(good, -1).text(), "rank -1 is outside 0…3");
  Plan plan = good;
  plan.ranks = 0;
  EXPECT_EQ(error_of(plan, 0).text(), "a plan is for 1 to 1048576 ranks, not 0");
  EXPECT_EQ(make_schedule(plan).error().text(), "a plan is for 1 to 1048576 ranks, not 0");
  plan.ranks = (1 << 20) + 1;
  EXPECT_EQ(error_of(plan, 0).text(), "a plan is for 1 to 1048576 ranks, not 1048577");
  plan = good;
  plan.root = 1;
  EXPECT_EQ(error_of(plan, 0).text(), "root 1 does not fit allreduce of 4 ranks");
  plan = {Algorithm::knomial, Collective::broadcast, 4, 4, 2};
  EXPECT_EQ(error_of(plan, 0).text(), "root 4 does not fit broadcast of 4 ranks");
  plan.root = 3;
  plan.radix = 1;
  EXPECT_EQ(error_of(plan, 0).text(), "radix must be between 2 and 64, not 1");
  plan = good;
  plan.algorithm = Algorithm::automatic;
  EXPECT_EQ(error_of(plan, 0).code(), ErrorCode::unsupported);
  plan = {Algorithm::ring, Collective::broadcast, 4, 0, 2};
  EXPECT_EQ(error_of(plan, 0).text(), "there is no ring broadcast");
}

TEST(Generators, PartsHaveToSuitTheAlgorithm) {
  const auto error_of = [](const Plan& plan) {
    return std::string(make_program(plan, 0).error().text());
  };
  const std::vector<int> order = {0, 1, 2, 3};
  Plan plan{Algorithm::ring, Collective::allreduce, 4};
  EXPECT_EQ(error_of(arranged(plan, order, {}, 2, {1, 2, 3, 4})),
            "a ring with weights has 1 channel, not 2");
  EXPECT_EQ(error_of(arranged(plan, order, {}, 1, {1, 2, 3})),
            "a ring of 4 ranks needs as many weights, not 3");
  plan.collective = Collective::allgather;
  EXPECT_EQ(error_of(arranged(plan, order, {}, 1, {1, 2, 3, 4})),
            "only a ring allreduce has weights, not a ring allgather");
  plan = {Algorithm::two_level, Collective::allreduce, 4};
  EXPECT_EQ(error_of(arranged(plan, order, {3, 1}, 2)),
            "two_level with 2 stripes needs as many ranks in each group; group 1 has 1");
  plan.algorithm = Algorithm::chain_tree;
  EXPECT_EQ(error_of(arranged(plan, order, {3, 1}, 2)), "chain_tree has 1 channel, not 2");
}

// Each ring of several leaves every group of two or more at another member.
TEST(Generators, RingsLeaveGroupsByAllNics) {
  const Plan plan = arranged({Algorithm::ring, Collective::allreduce, 12},
                             {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, {4, 8}, 4);
  std::set<std::pair<int, int>> edges;
  const Schedule schedule = make_schedule(plan).value();
  for (const Program& program : schedule.programs) {
    for (const Step& step : program.steps) {
      if (step.op == StepOp::send && (program.rank < 4) != (step.peer < 4)) {
        edges.emplace(program.rank, step.peer);
      }
    }
  }
  const std::set<std::pair<int, int>> expected = {{3, 4},  {0, 6}, {1, 8}, {2, 10},
                                                  {11, 0}, {5, 1}, {7, 2}, {9, 3}};
  EXPECT_EQ(edges, expected);
}

// Parents and children agree, and every node hangs below the root.
template <class PlaceOf>
void expect_tree(int count, PlaceOf place_of) {
  int roots = 0;
  for (int node = 0; node < count; ++node) {
    const TreePlace place = place_of(node);
    roots += place.parent ? 0 : 1;
    for (const int child : place.children) ASSERT_EQ(place_of(child).parent, node);
    int steps = 0;
    for (TreePlace above = place; above.parent; above = place_of(*above.parent)) {
      ASSERT_LT(++steps, count) << "a circle above " << node;
    }
    if (!place.parent) continue;
    const std::vector<int> siblings = place_of(*place.parent).children;
    ASSERT_EQ(std::count(siblings.begin(), siblings.end(), node), 1);
  }
  ASSERT_EQ(roots, 1);
}

TEST(Trees, ParentsAndChildrenAgree) {
  for (int count = 1; count <= 130; ++count) {
    for (const int tree : {0, 1}) {
      expect_tree(count, [&](int node) { return double_tree_place(tree, node, count); });
    }
    for (const int radix : {2, 3, 4, 7, 64}) {
      expect_tree(count, [&](int node) { return knomial_place(radix, node, count); });
    }
  }
}

TEST(Trees, HardlyAnyNodeIsInsideBothTreesOfAPair) {
  for (int count = 2; count <= 200; ++count) {
    int inside_both = 0;
    for (int node = 0; node < count; ++node) {
      const bool first = !double_tree_place(0, node, count).children.empty();
      const bool second = !double_tree_place(1, node, count).children.empty();
      inside_both += first && second ? 1 : 0;
    }
    EXPECT_EQ(inside_both, count % 2) << count;
  }
}

TEST(Trees, SubtreesAreRunsOfNodes) {
  for (const int radix : {2, 3, 4, 7}) {
    for (int count = 1; count <= 70; ++count) {
      for (int node = 0; node < count; ++node) {
        int size = 1;
        int last = node;
        for (const int child : knomial_place(radix, node, count).children) {
          size += knomial_subtree(radix, child, count);
          last = std::max(last, child + knomial_subtree(radix, child, count) - 1);
        }
        ASSERT_EQ(knomial_subtree(radix, node, count), size);
        ASSERT_EQ(last, node + size - 1);
      }
    }
  }
}

// The longest and the shortest message between two ranks at each distance |a - b|.
std::map<int, std::pair<std::uint32_t, std::uint32_t>> lengths_by_distance(const Plan& plan) {
  std::map<int, std::pair<std::uint32_t, std::uint32_t>> lengths;
  const Schedule schedule = make_schedule(plan).value();
  for (const Program& program : schedule.programs) {
    for (const Step& step : program.steps) {
      if (step.op != StepOp::send) continue;
      const int distance = std::abs(step.peer - program.rank);
      auto& [longest, shortest] =
          lengths.try_emplace(distance, step.count, step.count).first->second;
      longest = std::max(longest, step.count);
      shortest = std::min(shortest, step.count);
    }
  }
  return lengths;
}

TEST(HalvingDoubling, FarPartnersExchangeTheLeast) {
  const auto lengths =
      lengths_by_distance({Algorithm::halving_doubling, Collective::allreduce, 32});
  ASSERT_EQ(lengths.size(), 5u);
  for (const auto& [distance, length] : lengths) {
    EXPECT_EQ(length.first, 16u / static_cast<unsigned>(distance));
    EXPECT_EQ(length.second, length.first);
  }
}

TEST(Circulant, ARankTalksToAFewOnEachSide) {
  // 22 → 11 → 6 → 3 → 2 → 1 in the paper's example of 22 processors.
  const Program program =
      make_program({Algorithm::circulant, Collective::allgather, 22}, 0).value();
  std::vector<int> peers;
  for (const Step& step : program.steps) {
    if (step.op == StepOp::recv) peers.push_back(step.peer);
  }
  EXPECT_EQ(peers, (std::vector<int>{1, 2, 3, 6, 11}));
}

TEST(RecursiveDoubling, KeepsAtMostTwoSums) {
  for (int ranks = 2; ranks <= 40; ++ranks) {
    for (const Collective collective :
         {Collective::allreduce, Collective::scan, Collective::exscan}) {
      const Schedule schedule =
          make_schedule({Algorithm::recursive_doubling, collective, ranks}).value();
      for (const Program& program : schedule.programs) EXPECT_LE(program.shape.scratch, 2u);
    }
  }
}

TEST(Chain, FollowsTheOrderOfAnArrangement) {
  const auto arrangement = Arrangement::make({3, 0, 2, 1}).value();
  for (const Collective collective : {Collective::broadcast, Collective::reduce}) {
    Plan plan{Algorithm::chain, collective, 4, 2};
    plan.arrangement = arrangement;
    const Schedule schedule = make_schedule(plan).value();
    EXPECT_TRUE(verify(schedule).ok()) << verify(schedule).error().what();
    const bool down = collective == Collective::broadcast;
    int rank = 2;
    for (const int next : {1, 3, 0}) {  // from the root on, round the end
      for (const Step& step : schedule.programs[static_cast<std::size_t>(rank)].steps) {
        if (step.op != (down ? StepOp::send : StepOp::recv)) continue;
        EXPECT_EQ(step.peer, next);
      }
      rank = next;
    }
  }
}

TEST(Chain, GoesRoundTheGroupOfTheRootFirst) {
  Plan plan{Algorithm::chain, Collective::broadcast, 9, 1};
  plan.arrangement = Arrangement::make({8, 7, 6, 5, 4, 3, 2, 1, 0}, {2, 3, 4}).value();
  std::vector<int> line = {1};
  for (;;) {
    const Program program = make_program(plan, line.back()).value();
    const auto sent = std::find_if(program.steps.begin(), program.steps.end(),
                                   [](const Step& step) { return step.op == StepOp::send; });
    if (sent == program.steps.end()) break;
    line.push_back(sent->peer);
  }
  EXPECT_EQ(line, (std::vector<int>{1, 0, 3, 2, 8, 7, 6, 5, 4}));
}

// Blocks and prefixes are tied to the numbers of ranks, and who talks to everybody has no order.
TEST(Generators, OnlyTheOrderOfTheOthersCanBeArranged) {
  for (int a = 1; a < algorithm_count; ++a) {
    for (int c = 0; c < collective_count; ++c) {
      const auto algorithm = static_cast<Algorithm>(a);
      const auto collective = static_cast<Collective>(c);
      if (!is_supported(algorithm, collective)) continue;
      Plan plan{algorithm, collective, 8};
      const Schedule plain = make_schedule(plan).value();
      plan.arrangement = Arrangement::make({7, 2, 5, 0, 3, 6, 1, 4}, {4, 4}).value();
      const Schedule other = make_schedule(plan).value();
      bool differs = false;
      for (std::size_t rank = 0; rank < 8; ++rank) {
        differs |= plain.programs[rank].steps != other.programs[rank].steps;
      }
      EXPECT_EQ(differs, arranged(algorithm, collective) != Arranged::never)
          << name(algorithm) << " " << name(collective);
    }
  }
}

TEST(ScatterAllgather, FollowsTheOrderOfAnArrangement) {
  Plan plan{Algorithm::scatter_allgather, Collective::broadcast, 6, 4};
  plan.arrangement = Arrangement::make({5, 3, 1, 0, 2, 4}, {2, 4}).value();
  const Schedule schedule = make_schedule(plan).value();
  EXPECT_TRUE(verify(schedule).ok()) << verify(schedule).error().what();
}

TEST(ScatterAllgather, BringsEverySegmentToEveryRankOnce) {
  for (int ranks = 2; ranks <= 20; ++ranks) {
    const Schedule schedule =
        make_schedule({Algorithm::scatter_allgather, Collective::broadcast, ranks, ranks / 2})
            .value();
    for (const Program& program : schedule.programs) {
      std::vector<int> received(static_cast<std::size_t>(ranks));
      for (const Step& step : program.steps) {
        if (step.op != StepOp::recv) continue;
        for (std::uint32_t i = 0; i < step.count; ++i) ++received[step.destination_segment + i];
      }
      const int once = program.rank == ranks / 2 ? 0 : 1;
      for (const int times : received) EXPECT_EQ(times, once);
    }
  }
}

TEST(Pairwise, SendsAndReceivesOneBlockARound) {
  const Program program = make_program({Algorithm::pairwise, Collective::alltoall, 7}, 3).value();
  EXPECT_EQ(program.shape.scratch, 3u);  // blocks that come before their place is free
  for (std::size_t round = 1; round < 7; ++round) {
    const Step& send = program.lane(0)[round - 1];
    const Step& recv = program.lane(1)[round - 1];
    EXPECT_EQ(send.peer, (3 + static_cast<int>(round)) % 7);
    EXPECT_EQ(recv.peer, (10 - static_cast<int>(round)) % 7);
  }
}

TEST(Bruck, SendsOneMessageARound) {
  for (int ranks = 2; ranks <= 40; ++ranks) {
    const Program program =
        make_program({Algorithm::bruck, Collective::alltoall, ranks}, ranks / 3).value();
    int distance = 1;
    for (const Step& send : program.lane(0)) {
      EXPECT_EQ(send.peer, (ranks / 3 + distance) % ranks);
      distance *= 2;
    }
    EXPECT_GE(distance, ranks);
    EXPECT_LT(distance, 2 * ranks);
  }
}

TEST(Generators, AProgramIsMadeWithoutTheOthers) {
  const Plan plan{Algorithm::knomial, Collective::allreduce, 1 << 20, 0, 64};
  const Result<Program> program = make_program(plan, 0);
  ASSERT_TRUE(program.ok());
  EXPECT_EQ(program.value().lanes(), 2 * (3 * 63 + 3));
}

}  // namespace
}  // namespace rondo::testing
