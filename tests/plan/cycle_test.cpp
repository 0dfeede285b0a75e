#include "plan/cycle.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>

namespace rondo {
namespace {

using Strengths = std::vector<std::int64_t>;

std::int64_t weakest(const std::vector<int>& way, const Strengths& strength) {
  const auto count = way.size();
  std::int64_t least = INT64_MAX;
  for (std::size_t i = 0; i < count; ++i) {
    const auto from = static_cast<std::size_t>(way[i]);
    const auto to = static_cast<std::size_t>(way[(i + 1) % count]);
    least = std::min(least, strength[from * count + to]);
  }
  return least;
}

// Strong links only along a hidden way.
Strengths hidden_way(const std::vector<int>& way, std::int64_t strong, std::int64_t weak) {
  const std::size_t count = way.size();
  Strengths strength(count * count, weak);
  for (std::size_t i = 0; i < count; ++i) {
    const auto from = static_cast<std::size_t>(way[i]);
    const auto to = static_cast<std::size_t>(way[(i + 1) % count]);
    strength[from * count + to] = strength[to * count + from] = strong;
  }
  return strength;
}

TEST(Cycle, EqualLinksKeepTheOrder) {
  for (int count = 1; count <= 20; ++count) {
    std::vector<int> order(static_cast<std::size_t>(count));
    std::iota(order.begin(), order.end(), 0);
    const Strengths equal(static_cast<std::size_t>(count * count), 7);
    EXPECT_EQ(strongest_cycle(count, equal), order);
  }
}

TEST(Cycle, HiddenWaysAreFound) {
  std::mt19937 random(5);
  for (int count = 3; count <= 16; ++count) {
    std::vector<int> way(static_cast<std::size_t>(count));
    std::iota(way.begin(), way.end(), 0);
    std::shuffle(way.begin(), way.end(), random);
    const Strengths strength = hidden_way(way, 50, 1);
    std::vector<int> found = strongest_cycle(count, strength);
    EXPECT_EQ(weakest(found, strength), 50) << count;
    std::sort(found.begin(), found.end());
    std::sort(way.begin(), way.end());
    EXPECT_EQ(found, way);
  }
}

TEST(Cycle, TheWeakestLinkCountsBeforeTheSum) {
  // Two pairs of mighty links force a link of 1; without them no link is below 5.
  const Strengths strength = {0,   100, 5,   5,    //
                              100, 0,   5,   1,    //
                              5,   5,   0,   100,  //
                              5,   1,   100, 0};
  EXPECT_EQ(strongest_cycle(4, strength), (std::vector<int>{0, 1, 2, 3}));
  const Strengths trap = {0,   100, 5,   5,    //
                          100, 0,   1,   5,    //
                          5,   1,   0,   100,  //
                          5,   5,   100, 0};
  EXPECT_EQ(weakest(strongest_cycle(4, trap), trap), 5);
}

TEST(Cycle, LargeOnesAreSoundAndBounded) {
  std::mt19937 random(11);
  constexpr int count = 64;
  Strengths strength(count * count);
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      strength[i * count + j] = strength[j * count + i] = static_cast<std::int64_t>(random() % 100);
    }
  }
  std::vector<int> found = strongest_cycle(count, strength);
  std::vector<int> order(count);
  std::iota(order.begin(), order.end(), 0);
  EXPECT_GT(weakest(found, strength), weakest(order, strength));
  EXPECT_EQ(found, strongest_cycle(count, strength));
  std::sort(found.begin(), found.end());
  EXPECT_EQ(found, order);
}

}  // namespace
}  // namespace rondo
