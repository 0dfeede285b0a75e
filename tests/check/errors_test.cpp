// Each way in which a schedule can be wrong has a text that says where and what.

#include <gtest/gtest.h>

#include <algorithm>

#include "check/rendezvous.hpp"
#include "rondo/schedule.hpp"

namespace rondo {
namespace {

Schedule make(Algorithm algorithm, Collective collective, int ranks) {
  return make_schedule({algorithm, collective, ranks, 0, 2}).value();
}
Schedule ring(int ranks = 3) {
  return make(Algorithm::ring, Collective::allreduce, ranks);
}

void expect_error(const Schedule& schedule, std::string_view text) {
  const Result<Proof> proof = verify(schedule);
  ASSERT_FALSE(proof.ok()) << "expected: " << text;
  EXPECT_NE(proof.error().text().find(text), std::string::npos)
      << "found:    " << proof.error().text() << "\nexpected: " << text;
}

// A schedule of two ranks in text, of which each test writes the lanes.
Schedule two_ranks(const std::string& first, const std::string& second,
                   const std::string& shape = "blocks 1 segments 1 scratch 2") {
  const std::string text =
      "rondo schedule 1\nplan one_shot allreduce ranks 2 root 0 radix 2\nrank 0 " + shape + "\n" +
      first + "rank 1 " + shape + "\n" + second;
  const Result<Schedule> schedule = parse_schedule(text);
  EXPECT_TRUE(schedule.ok()) << (schedule ? "" : schedule.error().what());
  return schedule.value();
}
const std::string good_lanes =
    "lane 0\nsend in[0] to 1\nlane 1\nrecv scratch[1] from 1 about 0\n"
    "lane 2\ncopy in[0] to scratch[0]\nreduce scratch[0..1] to out[0] complete wait 1>=1 0>=1\n";
const std::string other_lanes =
    "lane 0\nsend in[0] to 0\nlane 1\nrecv scratch[0] from 0 about 0\n"
    "lane 2\ncopy in[0] to scratch[1]\nreduce scratch[0..1] to out[0] complete wait 1>=1 0>=1\n";

TEST(VerifyErrors, TheUnchangedSchedulesAreRight) {
  EXPECT_TRUE(verify(ring()).ok());
  const Result<Proof> proof = verify(two_ranks(good_lanes, other_lanes));
  EXPECT_TRUE(proof.ok()) << (proof ? "" : proof.error().what());
}

TEST(VerifyErrors, Programs) {
  Schedule schedule = ring();
  schedule.plan.ranks = 0;
  expect_error(schedule, "a plan is for 1 to 1048576 ranks, not 0");
  schedule = ring();
  schedule.programs.pop_back();
  expect_error(schedule, "a plan of 3 ranks needs as many programs, not 2");
  schedule = ring();
  schedule.programs[1].rank = 2;
  expect_error(schedule, "program 1 says that it is rank 2");
  schedule = ring();
  schedule.programs[2].plan.root = 1;
  expect_error(schedule, "rank 2 has another plan than the schedule");
}

TEST(VerifyErrors, Shapes) {
  Schedule schedule = ring();
  schedule.programs[1].shape.blocks = 3;
  expect_error(schedule, "rank 1 has 3 blocks; allreduce of 3 ranks has 1");
  schedule = ring();
  schedule.programs[1].shape.segments = 2;
  expect_error(schedule, "rank 1 has 2 segments a block, rank 0 3");
  schedule = ring();
  schedule.programs[0].shape.segments = UINT32_MAX;
  expect_error(schedule, "too many to check");
  schedule = ring();
  schedule.programs[0].shape.scratch = UINT32_MAX;
  expect_error(schedule, "too many to check");
}

TEST(VerifyErrors, Lanes) {
  Schedule schedule = ring();
  schedule.programs[0].lane_end[0] = 0;
  expect_error(schedule, "rank 0 lane 0 has no steps");
  schedule = ring();
  schedule.programs[0].lane_end[1] = 1000;
  expect_error(schedule, "rank 0 lane 1 has no steps");
  schedule = ring();
  schedule.programs[0].lane_end.pop_back();
  expect_error(schedule, "rank 0 has steps outside of its lanes");
}

TEST(VerifyErrors, MoreLanesThanAWaitCanName) {
  Schedule schedule = ring();
  schedule.programs[2].lane_end.resize(1025);
  expect_error(schedule, "rank 2 has 1025 lanes; a wait can name 1024");
}

// The last rank of a circulant reduce_scatter passes a run that goes round the end of the vector.
TEST(VerifyErrors, RunsThatGoRoundTheEnd) {
  const Schedule good = make(Algorithm::circulant, Collective::reduce_scatter, 5);
  ASSERT_TRUE(verify(good).ok());
  const auto with = [&](auto change) {
    Schedule schedule = good;
    change(schedule.programs[4].steps);
    return schedule;
  };
  const auto recv = [](std::vector<Step>& steps) -> Step& {
    return *std::find_if(steps.begin(), steps.end(), [](const Step& step) {
      return step.op == StepOp::recv && step.about + step.count > 5;
    });
  };
  // recv scratch[4..5] from 1 + in[4..5]
  expect_error(with([&](auto& steps) { recv(steps).destination_segment = 0; }),
               "goes round the end of the vector with one slice, and with another one not");
  expect_error(with([&](auto& steps) { recv(steps).source_segment = 3; }),
               "goes round the end of the vector with one slice, and with another one not");
  expect_error(with([&](auto& steps) { recv(steps).count = 6; }), "is outside of");
  expect_error(with([&](auto& steps) { recv(steps).count = 3; }),
               "writes scratch[1] unordered with the write of");
  Schedule without = good;  // the mirror is not the whole vector
  for (Program& program : without.programs) program.shape.mirror = 4;
  expect_error(without, "a message carries a run of the vector or its mirror, not scratch[3..4]");
}

TEST(VerifyErrors, Steps) {
  const auto with = [](auto change) {
    Schedule schedule = ring();
    change(schedule.programs[1].steps[0]);  // send in[0] to 2
    return schedule;
  };
  expect_error(with([](Step& s) { s.op = static_cast<StepOp>(9); }), "unknown operation 9");
  expect_error(with([](Step& s) { s.flags = 64; }), "unknown flags 64");
  expect_error(with([](Step& s) { s.flags = Step::accumulate_flag; }), "only a recv accumulates");
  expect_error(with([](Step& s) { s.flags = Step::complete_flag; }),
               "completes a value without adding to it");
  expect_error(with([](Step& s) { s.peer = 1; }),
               "rank 1 lane 0 step 0 (send in[0] to 1): peer 1 is not another rank of 0…2");
  expect_error(with([](Step& s) { s.peer = 3; }), "peer 3 is not another rank");
  expect_error(with([](Step& s) { s.count = 0; }), "no segments");
  expect_error(with([](Step& s) { s.count = 2; }), "writes out[1] unordered with the read of");
  expect_error(with([](Step& s) { s.op = StepOp::copy; }), "only a send or recv has a peer, not 2");
  expect_error(with([](Step& s) { s.source_segment = 3; }), "in[3] is outside of in, which has 3");
  expect_error(with([](Step& s) { s.source_buffer = Buffer::scratch; }),
               "scratch[0] is outside of scratch, which has 0 segments on this rank");
  expect_error(with([](Step& s) { s.about = 3; }), "is about segment 3 of a vector that has 3");
  expect_error(with([](Step& s) { s.about = 1; }), "in[0] is not segment 1 of the vector");
  expect_error(with([](Step& s) { s.source_segment = 2, s.about = 2, s.count = 4; }),
               "in[2..5] is outside of in, which has 3 segments");
  expect_error(with([](Step& s) { s.source_segment = 1, s.about = 2, s.count = 2; }),
               "goes round the end of the vector with one slice, and with another one not");
  expect_error(with([](Step& s) { s.waits[0].lane = 7, s.waits[0].count = 1; }),
               "waits for lane 7 of 2");
  expect_error(with([](Step& s) { s.waits[0].lane = 1, s.waits[0].count = 9; }),
               "waits for 9 steps of lane 1, which has 4");
  Schedule schedule = ring();
  schedule.programs[0].steps[0].op = StepOp::reduce;
  schedule.programs[0].steps[0].peer = -1;
  schedule.programs[0].steps[0].destination_buffer = Buffer::out;
  schedule.programs[0].steps[0].source_segment = 0;
  schedule.programs[0].steps[0].about = 0;
  schedule.programs[0].steps[0].count = 2;
  expect_error(schedule, "reduces different segments of the vector into one");
  schedule = make(Algorithm::ring, Collective::allgather, 3);
  Step& recv = schedule.programs[0].steps.back();
  recv.flags = Step::accumulate_flag | Step::complete_flag;
  expect_error(schedule,
               "completes a value, but nothing is summed over all ranks in allgather of 3 ranks");
}

TEST(VerifyErrors, RunsLieSideBySide) {
  expect_error(
      two_ranks("lane 0\nsend in[0..1] to 1\n", "lane 0\nrecv scratch[0..1] from 0 about 0\n",
                "blocks 1 segments 2 scratch 2"),
      "a message carries a run of the vector or its mirror, not scratch[0..1]");
  expect_error(two_ranks("lane 0\nsend in[0..1] to 1\n", "lane 0\nrecv scratch[0..1] from 0\n",
                         "blocks 1 segments 2 scratch 2 mirror 1 from 0"),
               "not scratch[0..1]");
  expect_error(two_ranks("lane 0\nsend in[0..1] to 1\n", "lane 0\nrecv out[0] from 0\n",
                         "blocks 1 segments 2 scratch 0"),
               "segments by number: 2 of the vector against 1");
  expect_error(two_ranks("lane 0\nsend in[1] to 1\n", "lane 0\nrecv scratch[1] from 0 about 0\n",
                         "blocks 1 segments 2 scratch 2 mirror 2 from 0"),
               "scratch[1] is not segment 0 of the vector");
  expect_error(two_ranks("lane 0\nsend in[0] to 1\n", "lane 0\nrecv out[0] from 0\n",
                         "blocks 1 segments 2 scratch 1 mirror 2 from 0"),
               "has a mirror of 2 segments in a scratch of 1");
  expect_error(two_ranks("lane 0\nsend in[0] to 1\n", "lane 0\nrecv out[0] from 0\n",
                         "blocks 1 segments 2 scratch 2 mirror 2 from 1"),
               "mirrors segments 1 to 2 of a vector that has 2");
}

TEST(VerifyErrors, HazardsNameBothSteps) {
  const std::string unordered_read =
      "lane 0\nsend in[0] to 1\nlane 1\nrecv scratch[1] from 1 about 0\n"
      "lane 2\ncopy in[0] to scratch[0]\nreduce scratch[0..1] to out[0] complete wait 0>=1\n";
  expect_error(
      two_ranks(unordered_read, other_lanes),
      "rank 0 lane 2 step 1 (reduce scratch[0..1] to out[0] complete wait 0>=1): reads "
      "scratch[1] unordered with the write of rank 0 lane 1 step 0 (recv scratch[1] from 1)");
  const std::string unordered_write =
      "lane 0\nsend in[0] to 1\nlane 1\nrecv scratch[1] from 1 about 0\n"
      "lane 2\ncopy in[0] to scratch[0]\nreduce scratch[0..1] to out[0] complete wait 1>=1\n";
  expect_error(two_ranks(unordered_write, other_lanes),
               "writes out[0] unordered with the read of rank 0 lane 0 step 0 (send in[0] to 1)");
  const std::string two_writes =
      "lane 0\nsend in[0] to 1\nlane 1\nrecv scratch[0] from 1 about 0\n"
      "lane 2\ncopy in[0] to scratch[0]\nreduce scratch[0..1] to out[0] complete wait 1>=1 0>=1\n";
  expect_error(two_ranks(two_writes, other_lanes),
               "writes scratch[0] unordered with the write of rank 0 lane 1 step 0");
}

TEST(VerifyErrors, MessagesOfOneLinkStandInOneLane) {
  const std::string two_sends = "lane 0\nsend in[0] to 1\nlane 1\nsend in[0] to 1 wait 0>=1\n";
  expect_error(two_ranks(two_sends, other_lanes),
               "rank 0 lane 1 step 0 (send in[0] to 1 wait 0>=1): uses the same peer and channel "
               "as rank 0 lane 0 step 0 (send in[0] to 1): one lane has to hold both");
  // Right as long as messages are whole: the waits order the recvs.
  const std::string two_recvs =
      "lane 0\nrecv scratch[0] from 1 about 0\nlane 1\nrecv scratch[1] from 1 about 0 wait 0>=1\n";
  expect_error(two_ranks(two_recvs, other_lanes),
               "uses the same peer and channel as rank 0 lane 0 step 0 (recv scratch[0] from 1): "
               "one lane has to hold both");
  // Other channels, other peers and the other direction may stand anywhere.
  EXPECT_TRUE(verify(make(Algorithm::double_tree, Collective::allreduce, 5)).ok());
}

TEST(VerifyErrors, NoStepWritesIn) {
  for (const std::string writer :
       {"recv in[0] from 1", "recv in[0] from 1 + in[0]", "copy out[0] to in[0]",
        "copy in[0] to in[0]", "reduce scratch[0..1] to in[0] complete"}) {
    expect_error(two_ranks("lane 0\n" + writer + "\n", other_lanes),
                 "rank 0 lane 0 step 0 (" + writer + "): writes in[0], which is the caller's");
  }
}

TEST(VerifyErrors, HazardsInsideAStepAndACircleOfLanes) {
  const std::string overlap = "lane 0\ncopy scratch[0..1] to scratch[1..2]\n";
  expect_error(two_ranks(overlap, other_lanes, "blocks 1 segments 2 scratch 3"),
               "source and destination overlap");
  const std::string circle =
      "lane 0\nsend in[0] to 1 wait 1>=1\nlane 1\nrecv out[0] from 1 wait 0>=1\n";
  expect_error(two_ranks(circle, other_lanes),
               "rank 0 lane 0 step 0 (send in[0] to 1 wait 1>=1): waits for a step of its own rank "
               "that waits for it");
}

TEST(VerifyErrors, Publications) {
  const Schedule good = make(Algorithm::two_shot, Collective::allreduce, 3);
  const auto with = [&](auto change) {
    Schedule schedule = good;
    change(schedule.programs[0].steps);
    return schedule;
  };
  ASSERT_EQ(good.programs[0].steps[2].publication(), 1u);
  ASSERT_EQ(good.programs[0].steps[3].publication(), 1u);
  EXPECT_TRUE(verify(with([](auto& s) { s[2].set_publication(0); })).ok()) << "a send may go alone";
  EXPECT_TRUE(verify(with([](auto& s) { s[3].set_publication(3); })).ok()) << "also in its own";
  expect_error(with([](auto& s) { s[2].set_publication(99); }),
               "publication 99 of a rank that has 10 steps");
  expect_error(
      with([](auto& s) { s[1].set_publication(1); }),
      "rank 0 lane 0 step 2 (send out[0] to 1 publication 1 wait 2>=2): sends something "
      "else than rank 0 lane 0 step 1 (send in[2] to 2 publication 1), with which it is in "
      "publication 1");
  expect_error(with([](auto& s) { s[3].channel = 1; }),
               "uses another channel than rank 0 lane 0 step 2");
  const std::string to_one_peer =
      "lane 0\nsend in[0] to 1 publication 1\nsend in[0] to 1 publication 1\n";
  expect_error(two_ranks(to_one_peer, other_lanes),
               "has the same peer as rank 0 lane 0 step 0 (send in[0] to 1 publication 1)");
}

TEST(VerifyErrors, WhatIsPublishedStaysAsItIs) {
  const auto with = [](const std::string& between) {
    const std::string shape = " blocks 1 segments 2 scratch 0\nlane 0\n";
    const std::string text =
        "rondo schedule 1\nplan one_shot allreduce ranks 3 root 0 radix 2\nrank 0" + shape +
        "copy in[0..1] to out[0..1]\nsend out[0..1] to 1 publication 1\n" + between +
        "send out[0..1] to 2 publication 1\nrank 1" + shape + "recv out[0..1] from 0\nrank 2" +
        shape + "recv out[0..1] from 0\n";
    return parse_schedule(text).value();
  };
  const std::string_view complaint = "what it sends was written since rank 0 lane 0 step 1";
  expect_error(with("copy in[0] to out[0]\n"), complaint);
  expect_error(with("copy in[1] to out[1]\n"), complaint);
  // Without a write something else is wrong: it is no allreduce.
  EXPECT_EQ(verify(with("")).error().text().find("publication"), std::string::npos);
}

TEST(VerifyErrors, ScratchIsReadAsWhatItHolds) {
  Schedule schedule = make(Algorithm::ring, Collective::reduce_scatter, 3);
  Step& send = schedule.programs[0].steps[1];  // of scratch[0], which holds segment 1
  send.about = 2;
  expect_error(schedule, "reads scratch[0] as segment 2 of the vector, but it holds segment 1");
}

TEST(VerifyErrors, MessagesMeet) {
  expect_error(two_ranks("lane 0\nsend in[0] to 1\n", "lane 0\nrecv scratch[0] from 0 about 1\n",
                         "blocks 1 segments 2 scratch 1"),
               "rank 0 lane 0 step 0 (send in[0] to 1) meets rank 1 lane 0 step 0 (recv scratch[0] "
               "from 0 about 1): segment 0 of the vector against 1");
  Schedule schedule = ring();
  schedule.programs[0].steps[0].channel = 5;
  expect_error(schedule,
               "rank 0 lane 0 step 0 (send in[2] to 1 channel 5) meets nothing: rank 1 "
               "has no recv for it");
  schedule = ring();
  schedule.programs[0].steps.back().channel = 5;
  expect_error(schedule, "meets nothing: rank 2 has no send for it");
}

TEST(VerifyErrors, DeadlockSaysWhoWaitsForWhom) {
  const std::string first = "lane 0\nrecv scratch[0] from 1 about 0\nsend in[0] to 1\n";
  const std::string second = "lane 0\nrecv scratch[0] from 0 about 0\nsend in[0] to 0\n";
  expect_error(
      two_ranks(first, second),
      "deadlock: rank 0 lane 0 step 0 (recv scratch[0] from 1) waits for rank 1 lane 0 step "
      "0 (recv scratch[0] from 0), which waits for rank 0 lane 0 step 0 (recv scratch[0] "
      "from 1) again");
}

TEST(VerifyErrors, ValuesAreExplainedExactly) {
  const std::string twice =
      "lane 0\nsend in[0] to 1\nlane 1\nrecv scratch[1] from 1 about 0\n"
      "copy in[0] to scratch[1]\n"
      "lane 2\ncopy in[0] to scratch[0]\nreduce scratch[0..1] to out[0] complete wait 1>=2 0>=1\n";
  expect_error(two_ranks(twice, other_lanes),
               "rank 0 lane 2 step 1 (reduce scratch[0..1] to out[0] complete wait 1>=2 0>=1): "
               "completes a sum that is not whole (in place): it lacks segment 0 of rank 1, holds "
               "segment 0 of rank 0 2 times");
  Schedule schedule = make(Algorithm::ring, Collective::allgather, 3);
  schedule.programs[1].steps[0].source_buffer = Buffer::out;  // copies to itself
  schedule.programs[1].steps[0].source_segment = 1;
  expect_error(schedule, "reads out[1], which nothing has written (out of place)");
  schedule = ring();
  for (Program& program : schedule.programs) {
    for (Step& step : program.steps) step.flags &= static_cast<std::uint8_t>(~Step::complete_flag);
  }
  expect_error(schedule, "rank 0, in place: out[0] is whole, but no step completes it");
}

TEST(VerifyErrors, OutputsAreExplainedExactly) {
  const std::string keeps_own =
      "lane 0\nsend in[0] to 1\nlane 1\nrecv scratch[1] from 1 about 0\n"
      "lane 2\ncopy in[0] to scratch[0]\ncopy scratch[0] to out[0] wait 0>=1\n";
  expect_error(two_ranks(keeps_own, other_lanes),
               "rank 0, in place: out[0] lacks segment 0 of rank 1; last written by rank 0 lane 2 "
               "step 1 (copy scratch[0] to out[0] wait 0>=1)");
  const std::string adds_more = good_lanes + "recv out[0] from 1 + out[0] channel 1\n";
  const std::string sends_more = other_lanes + "send scratch[0] to 0 channel 1\n";
  expect_error(two_ranks(adds_more, sends_more), "adds to a sum that has been completed");
}

TEST(VerifyErrors, NoSumIsCompletedTwice) {
  const std::string again = good_lanes + "reduce out[0] to out[0] complete\n";
  expect_error(two_ranks(again, other_lanes), "completes a sum that has been completed (in place)");
  const std::string aside =
      "lane 0\nsend in[0] to 1\nlane 1\nrecv scratch[0] from 1 + in[0] complete\n"
      "reduce scratch[0] to out[0] complete wait 0>=1\n";
  expect_error(two_ranks(aside, other_lanes), "completes a sum that has been completed (in place)");
}

// Three ranks of a one-shot allreduce: the last lane of rank 2 is given, the others fold in rank
// order.
Schedule three_ranks(const std::string& last_fold) {
  std::string text = "rondo schedule 1\nplan one_shot allreduce ranks 3 root 0 radix 2\n";
  for (int rank = 0; rank < 3; ++rank) {
    const auto name = [](int number) { return std::to_string(number % 3); };
    text += "rank " + name(rank) + " blocks 1 segments 1 scratch 4\nlane 0\n";
    for (const int to : {rank + 1, rank + 2}) text += "send in[0] to " + name(to) + "\n";
    text += "lane 1\n";
    for (const int from : {rank + 2, rank + 1}) {
      text += "recv scratch[" + name(from) + "] from " + name(from) + " about 0\n";
    }
    text += "lane 2\ncopy in[0] to scratch[" + name(rank) + "]\n";
    text += rank == 2 ? last_fold : "reduce scratch[0..2] to out[0] complete wait 1>=2 0>=2\n";
  }
  const Result<Schedule> schedule = parse_schedule(text);
  EXPECT_TRUE(schedule.ok()) << (schedule ? "" : schedule.error().what());
  return schedule.value();
}

TEST(VerifyErrors, BitsAreTheSameOnAllRanks) {
  const Result<Proof> same =
      verify(three_ranks("reduce scratch[0..2] to out[0] complete wait 1>=2 0>=2\n"));
  EXPECT_TRUE(same.ok()) << (same ? "" : same.error().what());
  const std::string differs =
      "rank 2, in place: out[0] is summed or rounded in another order than on rank 0: "
      "floating-point results would differ in their last bits";
  // 0 + (1 + 2) instead of (0 + 1) + 2
  expect_error(three_ranks("reduce scratch[1..2] to scratch[1] wait 1>=2\n"
                           "reduce scratch[0..1] to out[0] complete wait 0>=2\n"),
               differs);
  // (0 + 1) + 2 too, but 16-bit floats are rounded in between.
  expect_error(three_ranks("copy scratch[2] to scratch[3]\n"
                           "reduce scratch[0..1] to scratch[1] wait 1>=2\n"
                           "copy scratch[3] to scratch[2]\n"
                           "reduce scratch[1..2] to out[0] complete wait 0>=2\n"),
               differs);
  // Rounded once more before the division of avg.
  expect_error(three_ranks("reduce scratch[0..2] to scratch[3] wait 1>=2\n"
                           "reduce scratch[3] to out[0] complete wait 0>=2\n"),
               differs);
}

TEST(VerifyErrors, TheoryIsKept) {
  // A right sum by links that a ring does not have.
  Schedule schedule = make(Algorithm::two_shot, Collective::allreduce, 3);
  schedule.plan.algorithm = Algorithm::ring;
  for (Program& program : schedule.programs) program.plan.algorithm = Algorithm::ring;
  expect_error(schedule, "a ring allreduce has no link from rank 0 to rank 2 on channel 0");
  // One shot as a plan, two shots in fact.
  schedule.plan.algorithm = Algorithm::one_shot;
  for (Program& program : schedule.programs) program.plan.algorithm = Algorithm::one_shot;
  expect_error(schedule, "a one_shot allreduce of 3 ranks has 1 segments, this schedule has 3");
  const std::string chatty =
      "lane 0\nsend in[0] to 1\nsend in[0] to 1\nlane 1\nrecv scratch[1] from 1 about 0\n"
      "lane 2\ncopy in[0] to scratch[0]\nreduce scratch[0..1] to out[0] complete wait 1>=1 0>=2\n";
  const std::string listening =
      "lane 0\nsend in[0] to 0\n"
      "lane 1\nrecv scratch[0] from 0 about 0\nrecv scratch[0] from 0 about 0\n"
      "lane 2\ncopy in[0] to scratch[1]\nreduce scratch[0..1] to out[0] complete wait 1>=2 0>=1\n";
  expect_error(two_ranks(chatty, listening), "segments sent by all ranks, this schedule has 3");
  const std::string idle = good_lanes + "copy out[0] to scratch[0]\n";
  expect_error(two_ranks(idle, other_lanes), "has 8 steps, this schedule has 9");
}

TEST(VerifyErrors, RoundsAndBusiestRankAreKept) {
  // Rank 0 of a k-nomial tree of 5 with the shape of another radix: same links, other rounds.
  Schedule schedule = make(Algorithm::one_shot, Collective::allreduce, 3);
  Program& first = schedule.programs[0];
  first.steps[2].waits[0].lane = 0;
  first.steps[2].waits[0].count = 2;  // receives after all sends
  expect_error(schedule, "rounds, this schedule has");
}

}  // namespace
}  // namespace rondo
