#include "plan/port_rates.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace rondo {
namespace {

constexpr int rounds = 3;

// What three rounds find out about hosts whose ports have these costs, when the measurements of a
// round come out `noise[round]` times too long.
std::vector<double> found(const std::vector<double>& byte_s,
                          const std::vector<double>& noise = {1, 1, 1}) {
  PortRates rates(static_cast<int>(byte_s.size()));
  for (int round = 0; round < rounds; ++round) {
    std::set<int> busy;
    for (const auto& [first, second] : rates.pairs(round)) {
      EXPECT_LT(first, second);
      EXPECT_TRUE(busy.insert(first).second) << "measures twice in round " << round;
      EXPECT_TRUE(busy.insert(second).second) << "measures twice in round " << round;
      rates.note({first, second}, noise[static_cast<std::size_t>(round)] *
                                      std::max(byte_s[static_cast<std::size_t>(first)],
                                               byte_s[static_cast<std::size_t>(second)]));
    }
    // All but one, where they are odd.
    EXPECT_EQ(busy.size(), byte_s.size() / 2 * 2);
  }
  std::vector<double> all;
  for (const std::optional<double>& one : rates.byte_s()) all.push_back(one.value_or(0));
  return all;
}

TEST(PortRates, AnyHostMayBeTheSlowOne) {
  for (const std::size_t hosts : {3u, 4u, 5u, 8u, 17u}) {
    for (std::size_t slow = 0; slow < hosts; ++slow) {
      std::vector<double> byte_s(hosts, 1);
      byte_s[slow] = 2;
      EXPECT_EQ(found(byte_s), byte_s) << "host " << slow << " of " << hosts;
    }
  }
}

TEST(PortRates, SeveralMayBeSlow) {
  for (const std::vector<double>& byte_s : std::vector<std::vector<double>>{
           {1, 2, 2, 1}, {1, 1, 2, 2}, {1, 2, 4, 1, 1, 1}, {2, 1, 1, 1, 3, 1, 1, 1}}) {
    EXPECT_EQ(found(byte_s), byte_s);
  }
}

TEST(PortRates, OfThousandsOfHostsAnyFewMayBeSlow) {
  std::vector<double> byte_s(4099, 1);
  for (std::size_t slow = 5; slow < byte_s.size(); slow += 37) byte_s[slow] = slow % 2 == 0 ? 2 : 3;
  EXPECT_EQ(found(byte_s), byte_s);
}

TEST(PortRates, OneGoodRoundIsEnough) {
  EXPECT_EQ(found({1, 1, 1, 1}, {1.5, 1, 2}), std::vector<double>(4, 1));
  EXPECT_EQ(found({1, 1, 1, 2}, {1, 1.5, 1}), (std::vector<double>{1, 1, 1, 2}));
}

TEST(PortRates, NoiseMakesNoDifference) {
  PortRates rates(6);
  rates.note({0, 1}, 1.00);
  rates.note({2, 3}, 1.04);
  rates.note({4, 5}, 2.02);
  rates.note({1, 4}, 2.00);
  const std::vector<std::optional<double>> byte_s = rates.byte_s();
  for (const std::size_t host : {1u, 2u, 3u}) EXPECT_EQ(byte_s[host], byte_s[0]);
  EXPECT_EQ(byte_s[4], byte_s[5]);
  EXPECT_NEAR(*byte_s[4] / *byte_s[0], 2, 0.1);
}

TEST(PortRates, WhatCouldNotBeMeasuredIsNotKnown) {
  PortRates rates(3);
  for (int round = 0; round < rounds; ++round) EXPECT_EQ(rates.pairs(round).size(), 1u);
  EXPECT_EQ(rates.byte_s(), std::vector<std::optional<double>>(3));
  rates.note({0, 2}, 3);
  const std::vector<std::optional<double>> some = {3, std::nullopt, 3};
  EXPECT_EQ(rates.byte_s(), some);
  EXPECT_TRUE(PortRates(1).pairs(0).empty());
}

}  // namespace
}  // namespace rondo
