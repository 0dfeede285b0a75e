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

TEST(Builder, SendsOfTheSameBytesArePublications) {
  ProgramBuilder build(plan, 0, shape);
  build.send(0, 1, 0, in(0));
  build.send(0, 2, 0, in(0));
  build.send(0, 3, 0, in(1));     // alone with its segment
  build.send(1, 4, 0, in(0));     // another lane may publish, too
  build.send(1, 1, 0, in(0));     // this peer has it already
  build.send(2, 5, 1, in(2, 2));  // and runs
  build.send(3, 6, 1, in(2, 2));
  build.send(3, 7, 1, in(2));  // not the whole run
  build.send(4, 8, 2, in(2));  // not on that channel
  const Program program = std::move(build).finish();
  std::vector<std::uint32_t> numbers;
  for (const Step& step : program.steps) numbers.push_back(step.publication());
  EXPECT_EQ(numbers, (std::vector<std::uint32_t>{1, 1, 0, 1, 0, 2, 2, 0, 0}));
}

TEST(Builder, AWriteEndsAPublication) {
  ProgramBuilder build(plan, 0, shape);
  build.copy(0, in(0, 2), out(0, 2));
  build.send(0, 1, 0, out(0, 2));
  build.send(0, 2, 0, out(0, 2));
  build.recv(1, 1, 0, out(2));
  build.send(0, 3, 0, out(0, 2));
  build.recv(1, 1, 0, out(1));  // the second segment of the run
  build.send(0, 4, 0, out(0, 2));
  const Program program = std::move(build).finish();
  std::vector<std::uint32_t> numbers;
  for (const Step& step : program.lane(0)) numbers.push_back(step.publication());
  EXPECT_EQ(numbers, (std::vector<std::uint32_t>{0, 1, 1, 1, 0}));
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
