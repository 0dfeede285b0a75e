#include "schedule/builder.hpp"

#include <gtest/gtest.h>

#include "base/invariant.hpp"

namespace rondo {
namespace {

const Plan plan{Algorithm::ring, Collective::allreduce, 4, 0, 2};
const Shape shape{.blocks = 1, .segments = 4};

Wait wait_of(const Program& program, int lane, int step, int index = 0) {
  return program.lane(lane)[static_cast<std::size_t>(step)].waits[static_cast<std::size_t>(index)];
}
Wait wait(unsigned lane, unsigned count) {
  Wait made;
  made.lane = lane & Wait::max_lane;
  made.count = count & Wait::max_count;
  return made;
}

TEST(Builder, AReadWaitsForTheWrite) {
  ProgramBuilder build(plan, 0, shape);
  build.recv(0, 1, 0, out(2));
  build.send(1, 2, 0, out(2));
  const Program program = std::move(build).finish();
  EXPECT_EQ(wait_of(program, 1, 0), wait(0, 1));
}

TEST(Builder, AWriteWaitsForEarlierReadsOfItsInPlaceAlias) {
  ProgramBuilder build(plan, 0, shape);
  build.send(0, 1, 0, in(2));
  build.recv(1, 2, 0, out(2));
  build.recv(1, 2, 0, out(3));
  const Program program = std::move(build).finish();
  EXPECT_EQ(wait_of(program, 1, 0), wait(0, 1));
  EXPECT_EQ(wait_of(program, 1, 1), Wait{});
}

TEST(Builder, ARunGoesRoundTheEndOfTheVector) {
  ProgramBuilder build(plan, 0, shape);
  build.recv(0, 1, 0, out(0));
  build.recv(1, 2, 0, out(1));
  build.send(2, 3, 0, out(3, 2));  // segments 3 and 0
  build.recv(3, 1, 1, out(2, 3));  // 2, 3 and 0: after the send
  const Program program = std::move(build).finish();
  EXPECT_EQ(wait_of(program, 2, 0), wait(0, 1));
  EXPECT_EQ(wait_of(program, 2, 0, 1), Wait{});
  EXPECT_EQ(wait_of(program, 3, 0), wait(2, 1));
  EXPECT_EQ(wait_of(program, 3, 0, 1), Wait{});
}

TEST(Builder, WhatLaneOrderOrOtherWaitsImplyIsNotWaitedForAgain) {
  ProgramBuilder build(plan, 0, shape);
  build.recv(0, 1, 0, out(0));
  build.recv_reduce(1, 1, 1, out(0), out(1));  // waits for lane 0
  build.reduce(2, out(1), out(2));             // waits for lane 1 …
  build.send(2, 3, 0, out(0));                 // … and so for lane 0
  const Program program = std::move(build).finish();
  EXPECT_EQ(wait_of(program, 2, 0), wait(1, 1));
  EXPECT_EQ(wait_of(program, 2, 1), Wait{});
}

TEST(Builder, AStepIsAboutWhatItsScratchHolds) {
  ProgramBuilder build(plan, 0, shape);
  const Slice kept = build.new_scratch(2);
  build.copy(0, in(3), scratch(kept.segment + 1));
  build.send(0, 1, 0, scratch(kept.segment + 1));
  const Program program = std::move(build).finish();
  EXPECT_EQ(program.lane(0)[1].about, 3u);
  EXPECT_EQ(program.shape.scratch, 2u);
}

TEST(Builder, LanesAndScratchAreHandedOutInOrder) {
  ProgramBuilder build(plan, 0, shape);
  EXPECT_EQ(build.new_lane(), 0);
  build.send(build.new_lane(), 1, 0, in(0));
  EXPECT_EQ(build.new_lane(), 1);
  EXPECT_EQ(build.new_scratch(), scratch(0));
  EXPECT_EQ(build.new_scratch(3), scratch(1, 3));
}

TEST(Builder, MoreThanTwoWaitsAreABug) {
  ProgramBuilder build(plan, 0, shape);
  for (int lane = 0; lane < 3; ++lane) build.send(lane, 1, lane, in(0));
  EXPECT_THROW(build.recv(3, 1, 0, out(0)), InvariantBroken);
}

TEST(Builder, SegmentsOutsideOfABufferAndEmptyLanesAreBugs) {
  ProgramBuilder build(plan, 0, shape);
  EXPECT_THROW(build.send(0, 1, 0, in(4)), InvariantBroken);
  ProgramBuilder gap(plan, 0, shape);
  gap.send(1, 1, 0, in(0));
  EXPECT_THROW(std::move(gap).finish(), InvariantBroken);
}

}  // namespace
}  // namespace rondo
