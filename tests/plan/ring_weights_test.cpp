#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>

#include "plan/arrange.hpp"

namespace rondo {
namespace {

// A host whose NIC is slow slows the links in front of it and behind it.
std::vector<double> with_slow_host(int hosts, double rate) {
  std::vector<double> rates(static_cast<std::size_t>(hosts), 1);
  rates[2] = rates[3] = rate;
  return rates;
}

double best_time(const std::vector<double>& rates) {
  return ring_time(rates, ring_weights(rates));
}

double equal_time(const std::vector<double>& rates) {
  return ring_time(rates, std::vector<std::uint32_t>(rates.size(), 1));
}

TEST(RingWeights, EqualLinksHaveEqualSegments) {
  for (const std::size_t hosts : {1u, 2u, 3u, 4u, 16u}) {
    const std::vector<double> rates(hosts, 12.5);
    EXPECT_EQ(ring_weights(rates), std::vector<std::uint32_t>(hosts, 1));
  }
  EXPECT_DOUBLE_EQ(equal_time(std::vector<double>(16, 1)), 1.875);
}

TEST(RingWeights, ASlowHostOfSixteenHardlyMatters) {
  constexpr double tolerance = 0.001;
  EXPECT_NEAR(equal_time(with_slow_host(16, 0.75)), 2.50, tolerance);
  EXPECT_NEAR(best_time(with_slow_host(16, 0.75)), 15 / 7.75, tolerance);  // 1.94
  EXPECT_NEAR(equal_time(with_slow_host(16, 0.50)), 3.75, tolerance);
  EXPECT_NEAR(best_time(with_slow_host(16, 0.50)), 2.00, tolerance);
  EXPECT_NEAR(equal_time(with_slow_host(16, 0.25)), 7.50, tolerance);
  EXPECT_NEAR(best_time(with_slow_host(16, 0.25)), 4.00, tolerance);
}

TEST(RingWeights, ASlowHostOfFourCostsAThird) {
  const double homogeneous = equal_time(std::vector<double>(4, 1));
  EXPECT_NEAR(best_time(with_slow_host(4, 0.5)) / homogeneous, 4.0 / 3, 0.001);
}

// The exact optimum by other means: for a cycle, what must be covered is half the sum of all needs,
// the most of any path that takes every other link, and each need.
double least_cover(const std::vector<double>& need) {
  const std::size_t p = need.size();
  double most = 0;
  // Best matching of links on the cycle, by its dual: fractional matchings have 0, 1/2 or 1, and
  // halves only where the whole odd cycle has them.
  for (unsigned set = 0; set < 1u << p; ++set) {
    double sum = 0;
    bool matching = true;
    for (std::size_t i = 0; i < p; ++i) {
      if ((set >> i & 1) == 0) continue;
      sum += need[i];
      matching = matching && (set >> ((i + 1) % p) & 1) == 0;
    }
    if (matching) most = std::max(most, sum);
  }
  return std::max(most, std::accumulate(need.begin(), need.end(), 0.0) / 2);
}

TEST(RingWeights, NoWeightsAreBetter) {
  std::mt19937 random(3);
  for (int round = 0; round < 60; ++round) {
    std::vector<double> rates(3 + random() % 7);
    for (double& rate : rates) rate = 0.2 + static_cast<double>(random() % 100) / 50;
    double low = 0;
    double high = 2 / *std::min_element(rates.begin(), rates.end());
    for (int i = 0; i < 60; ++i) {
      const double time = (low + high) / 2;
      std::vector<double> need;
      for (const double rate : rates) need.push_back(std::max(0.0, 2 - time * rate));
      (least_cover(need) <= 1 ? high : low) = time;
    }
    EXPECT_NEAR(best_time(rates), high, 0.001 * high);
  }
}

TEST(RingWeights, FitAnArrangement) {
  const std::vector<double> rates = with_slow_host(64, 0.3);
  const std::vector<std::uint32_t> weights = ring_weights(rates);
  std::vector<int> order(64);
  std::iota(order.begin(), order.end(), 0);
  EXPECT_TRUE(Arrangement::make(order, {}, weights).ok());
  EXPECT_EQ(*std::max_element(weights.begin(), weights.end()), weights[3]);  // between its links
}

}  // namespace
}  // namespace rondo
