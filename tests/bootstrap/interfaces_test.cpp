#include "bootstrap/interfaces.hpp"

#include <gtest/gtest.h>

#include "bootstrap/address.hpp"

namespace rondo {
namespace {

using Addresses = std::vector<InterfaceAddress>;

TEST(Interfaces, TextRoundTrips) {
  const Addresses addresses = {{"10.0.0.3", 24}, {"fd00::1", 64}};
  EXPECT_EQ(to_text(addresses), "10.0.0.3/24 fd00::1/64");
  EXPECT_EQ(parse_interfaces(to_text(addresses)), addresses);
}

TEST(Interfaces, WhatIsNoAddressIsLeftOut) {
  EXPECT_EQ(parse_interfaces("10.0.0.3/24 10.0.0/8 host/3 10.0.0.4/33 10.0.0.5 /8 fd00::1/12"),
            (Addresses{{"10.0.0.3", 24}, {"fd00::1", 12}}));
  EXPECT_EQ(parse_interfaces(""), Addresses{});
}

TEST(Interfaces, AnAddressInASharedNetworkGoesFirst) {
  const Addresses own = {{"192.168.7.1", 24}, {"10.1.0.1", 16}};
  EXPECT_EQ(address_of_peer(own, Addresses{{"172.16.0.9", 12}, {"10.1.255.9", 16}}), "10.1.255.9");
  EXPECT_EQ(address_of_peer(own, Addresses{{"10.2.0.9", 16}, {"192.168.7.200", 24}}),
            "192.168.7.200");
}

TEST(Interfaces, WithoutASharedNetworkTheFirstOfTheOldKindIsTaken) {
  const Addresses own = {{"10.1.0.1", 16}};
  EXPECT_EQ(address_of_peer(own, Addresses{{"fd00::2", 64}, {"10.2.0.9", 16}, {"10.3.0.9", 16}}),
            "10.2.0.9");
  EXPECT_EQ(address_of_peer(own, Addresses{{"fd00::2", 64}}), "fd00::2");
  EXPECT_EQ(address_of_peer(own, {}), "");
}

TEST(Interfaces, ASharedNetworkOfTheNewKindIsBetterThanNone) {
  const Addresses own = {{"10.1.0.1", 16}, {"fd00::1", 64}};
  EXPECT_EQ(address_of_peer(own, Addresses{{"10.2.0.9", 16}, {"fd00::2", 64}}), "fd00::2");
}

// Each host's bridge for containers is 172.17.0.1.
TEST(Interfaces, AnAddressThatThisHostHasItselfLeadsNowhereElse) {
  const Addresses own = {{"172.17.0.1", 16}, {"10.1.0.1", 16}};
  EXPECT_EQ(address_of_peer(own, Addresses{{"172.17.0.1", 16}, {"10.2.0.9", 16}}), "10.2.0.9");
  EXPECT_EQ(address_of_peer(own, Addresses{{"172.17.0.1", 16}}), "");
}

TEST(Interfaces, ThoseOfThisHostAreNumericAndNotLoopback) {
  for (const InterfaceAddress& address : interface_addresses()) {
    EXPECT_TRUE(is_numeric(address.host)) << address.host;
    EXPECT_FALSE(is_loopback(address.host)) << address.host;
    EXPECT_GT(address.prefix_bits, 0) << address.host;
  }
}

}  // namespace
}  // namespace rondo
