// Fair shares against textbook answers, and their certificate against wrong ones.

#include "check/max_min.hpp"

#include <gtest/gtest.h>

#include <random>

namespace rondo::testing {
namespace {

struct Network {
  std::vector<double> capacity;
  std::vector<std::vector<LinkId>> paths;
  std::vector<std::uint32_t> flows;

  std::vector<FlowGroup> groups() const {
    std::vector<FlowGroup> groups;
    for (std::size_t i = 0; i < paths.size(); ++i) groups.push_back({paths[i], flows[i]});
    return groups;
  }
};

std::string verdict(const Network& network, const std::vector<double>& rates) {
  const Result<> checked = check_max_min(network.capacity, network.groups(), rates);
  return checked ? "" : checked.error().text();
}

TEST(MaxMin, OneLongFlowAgainstShortOnes) {
  // The long flow crosses both links; the narrow one holds it at 1/2 and leaves 3.5 on the other.
  const Network network{{4, 1}, {{0, 1}, {0}, {1}}, {1, 1, 1}};
  MaxMin max_min;
  EXPECT_EQ(max_min.rates(network.capacity, network.groups()), (std::vector{0.5, 3.5, 0.5}));
}

TEST(MaxMin, AlikeFlowsCountOneByOne) {
  const Network network{{6, 10}, {{0}, {0, 1}, {1}}, {2, 1, 4}};
  MaxMin max_min;
  const std::vector<double> rates = max_min.rates(network.capacity, network.groups());
  EXPECT_EQ(rates, (std::vector{2.0, 2.0, 2.0}));
  EXPECT_EQ(verdict(network, rates), "");
}

TEST(MaxMin, TheCertificateRefusesWrongRates) {
  const Network network{{4, 1}, {{0, 1}, {0}, {1}}, {1, 1, 1}};
  EXPECT_EQ(verdict(network, {0.5, 3.5, 0.5}), "");
  EXPECT_EQ(verdict(network, {0.5, 3.6, 0.5}), "link 0 carries 4.1, but can 4");
  EXPECT_EQ(verdict(network, {0.5, 3.4, 0.5}), "nothing keeps flow group 1 at 3.4");
  EXPECT_EQ(verdict(network, {0.4, 3.6, 0.6}), "nothing keeps flow group 0 at 0.4")
      << "all links are full, but not fairly";
}

TEST(MaxMin, RandomNetworksGetFairRates) {
  std::mt19937 random(20);
  MaxMin max_min;
  for (int run = 0; run < 2000; ++run) {
    const auto below = [&](std::uint32_t limit) {
      return static_cast<std::uint32_t>(random() % limit);
    };
    Network network;
    const std::uint32_t links = 1 + below(12);
    for (std::uint32_t i = 0; i < links; ++i) {
      network.capacity.push_back(1 + 0.37 * below(run % 2 == 0 ? 3 : 1000));
    }
    const std::uint32_t groups = 1 + below(20);
    for (std::uint32_t i = 0; i < groups; ++i) {
      std::vector<LinkId> path;
      for (LinkId link = 0; link < links; ++link) {
        if (below(4) == 0) path.push_back(link);
      }
      if (path.empty()) path.push_back(below(links));
      network.paths.push_back(path);
      network.flows.push_back(1 + below(5));
    }
    const std::vector<double> rates = max_min.rates(network.capacity, network.groups());
    ASSERT_EQ(verdict(network, rates), "") << "run " << run;
  }
}

}  // namespace
}  // namespace rondo::testing
