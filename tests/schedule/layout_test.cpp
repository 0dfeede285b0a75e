#include "schedule/layout.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include <algorithm>

namespace rondo {
namespace {

// Segments follow each other without gaps, cover every block, and differ by one element at most.
void expect_exact(const Shape& shape, std::size_t count) {
  const Layout layout(shape, count);
  std::size_t next = 0;
  for (std::uint32_t block = 0; block < shape.blocks; ++block) {
    ASSERT_EQ(next, block * count);
    std::size_t previous = layout.longest();
    for (std::uint32_t i = 0; i < shape.segments; ++i) {
      const Extent extent = layout.segment(block * shape.segments + i);
      ASSERT_EQ(extent.begin, next);
      ASSERT_LE(extent.count, previous) << "longer segments come first";
      ASSERT_GE(extent.count + 1, layout.longest());
      previous = extent.count;
      next += extent.count;
    }
  }
  ASSERT_EQ(next, shape.blocks * count);
  ASSERT_EQ(layout.segment(0).count, layout.longest());
}

TEST(Layout, CoversEveryCountExactly) {
  for (const std::uint32_t blocks : {1u, 2u, 7u}) {
    for (std::uint32_t segments = 1; segments <= 40; ++segments) {
      const Shape shape{.blocks = blocks, .segments = segments};
      for (std::size_t count = 0; count <= 3 * segments + 1; ++count) expect_exact(shape, count);
      for (const std::size_t count : {std::size_t{1009}, (std::size_t{1} << 31) - 1,
                                      (std::size_t{1} << 31) + 11, (std::size_t{1} << 40) + 7}) {
        expect_exact(shape, count);
      }
    }
  }
}

TEST(Layout, PutsTheLongerSegmentsFirst) {
  const Layout layout(Shape{.blocks = 1, .segments = 4}, 10);
  EXPECT_EQ(layout.segment(0), (Extent{0, 3}));
  EXPECT_EQ(layout.segment(1), (Extent{3, 3}));
  EXPECT_EQ(layout.segment(2), (Extent{6, 2}));
  EXPECT_EQ(layout.segment(3), (Extent{8, 2}));
}

TEST(Layout, WeightedSegmentsCoverEveryCountWithinAnElementOfTheirShare) {
  const std::vector<std::vector<std::uint32_t>> all_weights = {
      {1}, {0, 1, 0}, {1, 2, 3, 4}, {1, 1, 0, 4}, {4'000'000'000u, 1, 294'967'293u}};
  for (const auto& weights : all_weights) {
    const double total = std::accumulate(weights.begin(), weights.end(), 0.0);
    for (const std::size_t count : {std::size_t{0}, std::size_t{1}, std::size_t{7},
                                    std::size_t{1000}, std::size_t{1} << 40}) {
      const Layout layout = Layout::weighted(count, weights);
      std::size_t next = 0;
      std::size_t longest = 0;
      for (std::size_t i = 0; i < weights.size(); ++i) {
        const Extent segment = layout.segment(i);
        ASSERT_EQ(segment.begin, next);
        ASSERT_LT(std::abs(static_cast<double>(segment.count) -
                           static_cast<double>(count) * weights[i] / total),
                  1.0 + 1e-3);
        next += segment.count;
        longest = std::max(longest, segment.count);
      }
      ASSERT_EQ(next, count);
      ASSERT_EQ(layout.longest(), longest);
      ASSERT_EQ(layout.run(0, weights.size()), (Extent{0, count}));
    }
  }
}

TEST(Layout, BlocksMayHaveDifferentLengths) {
  const std::vector<std::size_t> counts = {5, 0, 3};
  const Layout layout = Layout::of_blocks(Shape{.blocks = 3, .segments = 2}, counts);
  const std::vector<Extent> expected = {{0, 3}, {3, 2}, {5, 0}, {5, 0}, {5, 2}, {7, 1}};
  for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_EQ(layout.segment(i), expected[i]) << i;
  EXPECT_EQ(layout.longest(), 3u);
  EXPECT_EQ(layout.run(1, 4), (Extent{3, 4}));
}

TEST(Arrangement, ChecksWhatItIsMadeOf) {
  const auto error = [](std::vector<int> order, std::vector<int> groups,
                        std::vector<std::uint32_t> weights = {}) {
    const auto made = Arrangement::make(order, groups, weights);
    return made ? std::string() : made.error().text();
  };
  EXPECT_EQ(error({}, {}), "arrangement: 1 to 1048576 ranks have an order, not 0");
  EXPECT_EQ(error({0, 2}, {}), "arrangement: rank 2 is outside 0…1");
  EXPECT_EQ(error({1, 1}, {}), "arrangement: rank 1 stands twice in the order");
  EXPECT_EQ(error({1, 0}, {1}), "arrangement: the groups have 1 ranks, the order 2");
  EXPECT_EQ(error({1, 0}, {1, 2}), "arrangement: a group of 2 ranks after 1 of 2");
  EXPECT_EQ(error({1, 0}, {0, 2}), "arrangement: a group of 0 ranks after 0 of 2");
  EXPECT_EQ(error({1, 0}, {}, {0, 0}), "arrangement: the weights add up to 0, not to 1…4294967295");
  EXPECT_EQ(error({1, 0}, {}, {UINT32_MAX, 1}),
            "arrangement: the weights add up to 4294967296, not to 1…4294967295");
}

TEST(Arrangement, KnowsWhoStandsWhere) {
  const auto made = Arrangement::make({4, 1, 0, 3, 2}, {2, 3}).value();
  EXPECT_EQ(made->rank_at(0), 4);
  EXPECT_EQ(made->position_of(4), 0);
  EXPECT_EQ(made->groups(), 2);
  EXPECT_EQ(made->group_of(1), 0);
  EXPECT_EQ(made->group_of(2), 1);
  EXPECT_EQ(made->begin_of(1), 2);
  EXPECT_EQ(made->size_of(1), 3);
  EXPECT_FALSE(made->is_plain());
  EXPECT_TRUE(Arrangement::make({0, 1}).value()->is_plain());
  Plan plain{Algorithm::ring, Collective::allreduce, 2};
  Plan arranged = plain;
  arranged.arrangement = Arrangement::make({0, 1}).value();
  EXPECT_EQ(plain, arranged);
  arranged.arrangement = Arrangement::make({1, 0}).value();
  EXPECT_NE(plain, arranged);
}

}  // namespace
}  // namespace rondo
