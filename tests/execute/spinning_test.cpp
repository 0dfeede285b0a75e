// When ranks that wait poll, and when they go to sleep at once.

#include "execute/spinning.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace rondo {
namespace {

using std::chrono::microseconds;

// Waits in which it does not poll, until it tries again.
int rests(Spinning& spinning) {
  int count = 0;
  for (; !spinning.pays(); ++count) spinning.came_late(microseconds(30));
  return count;
}

TEST(Spinning, RestsAfterSomeWaitsInVainMoreAndMoreOften) {
  Spinning spinning;
  for (int wait = 0; wait < 2; ++wait) {
    spinning.came_late(microseconds(30));
    EXPECT_TRUE(spinning.pays());
  }
  int expected = 4;
  for (int trial = 0; trial < 8; ++trial) {
    spinning.came_late(microseconds(30));
    EXPECT_EQ(rests(spinning), expected);
    expected = std::min(2 * expected, 64);
  }
}

TEST(Spinning, OneThatPaysBeginsAnew) {
  Spinning spinning;
  for (int wait = 0; wait < 3; ++wait) spinning.came_late(microseconds(30));
  EXPECT_EQ(rests(spinning), 4);
  spinning.came_in_time();
  for (int wait = 0; wait < 2; ++wait) spinning.came_late(microseconds(30));
  EXPECT_TRUE(spinning.pays());
  spinning.came_late(microseconds(30));
  EXPECT_EQ(rests(spinning), 4);
}

TEST(Spinning, WhatComesMuchLaterSaysNothing) {
  Spinning spinning;
  for (int wait = 0; wait < 100; ++wait) spinning.came_late(microseconds(5000));
  EXPECT_TRUE(spinning.pays());
}

}  // namespace
}  // namespace rondo
