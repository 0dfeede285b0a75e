// Exports as a person reads them, and as the tools they are for would take them.

#include <gtest/gtest.h>

#include "check/step_bytes.hpp"
#include "foreign.hpp"
#include "golden.hpp"
#include "rondo/export_formats.hpp"
#include "rondo/simulate.hpp"

namespace rondo::testing {
namespace {

Schedule make(Algorithm algorithm, Collective collective, int ranks, int root = 0) {
  return make_schedule({algorithm, collective, ranks, root, 2}).value();
}

const GoalOptions goal_options{.bytes = 1030, .reduce_byte_s = 1e-9, .copy_byte_s = 2e-9};

template <class Look>
void for_all_small_schedules(Look look) {
  for (int a = 0; a < algorithm_count; ++a) {
    for (int c = 0; c < collective_count; ++c) {
      const auto algorithm = static_cast<Algorithm>(a);
      const auto collective = static_cast<Collective>(c);
      if (!is_supported(algorithm, collective)) continue;
      for (int ranks = 1; ranks <= 9; ++ranks) {
        SCOPED_TRACE(::testing::Message()
                     << name(algorithm) << " " << name(collective) << " of " << ranks);
        const Plan plan{algorithm, collective, ranks, is_rooted(collective) ? ranks / 2 : 0, 2};
        // Some know powers of two only, or need groups.
        if (const Result<Schedule> schedule = make_schedule(plan)) look(schedule.value());
      }
    }
  }
}

void replace(std::string& text, std::string_view from, std::string_view to) {
  const std::size_t at = text.find(from);
  ASSERT_NE(at, text.npos) << from;
  text.replace(at, from.size(), to);
}

TEST(Export, AsPeopleReadIt) {
  const Schedule ring = make(Algorithm::ring, Collective::allreduce, 3);
  const Schedule shots = make(Algorithm::one_shot, Collective::allreduce, 3);
  const Schedule tree = make(Algorithm::double_tree, Collective::allreduce, 4);
  expect_golden("ring_allreduce_3.goal", to_goal(ring, goal_options).value());
  expect_golden("ring_allreduce_3.msccl.xml", to_msccl_xml(ring).value());
  expect_golden("ring_allreduce_3.dot", to_dot(ring).value());
  expect_golden("one_shot_allreduce_3.msccl.xml", to_msccl_xml(shots).value());
  expect_golden("double_tree_allreduce_4.dot", to_dot(tree).value());
}

TEST(Goal, EveryScheduleCompilesAndEnds) {
  for_all_small_schedules([](const Schedule& schedule) {
    const Result<std::string> goal = to_goal(schedule, goal_options);
    ASSERT_TRUE(goal.ok()) << goal.error().what();
    EXPECT_EQ(wrong_in_goal(goal.value()), "");
  });
}

TEST(Goal, ItsReaderSeesMistakes) {
  const std::string good =
      to_goal(make(Algorithm::ring, Collective::allreduce, 3), goal_options).value();
  const auto broken = [&](std::string_view from, std::string_view to) {
    std::string text = good;
    replace(text, from, to);
    return wrong_in_goal(text);
  };
  EXPECT_EQ(wrong_in_goal(good), "");
  EXPECT_EQ(broken("send 344b to 1", "send 340b to 1"), "bytes differ: recv");
  EXPECT_EQ(broken("s1 requires s0", "s1 requires s99"), "undefined label: s1 requires s99");
  EXPECT_EQ(broken("s1 requires s0", "s1 requires s3"), "never done: 13");
  EXPECT_EQ(broken("tag 0", "tag 1"), "bytes differ: recv") << "the next message is shorter";
  EXPECT_EQ(broken("cpu 0", "cpu 300").substr(0, 3), "cpu");
}

TEST(Goal, SegmentsOfOneMessageAddUp) {
  // 10 elements in 4 segments: 3, 3, 2, 2.
  const Layout layout(Shape{.blocks = 1, .segments = 4}, 10);
  Step step{.op = StepOp::send, .count = 3, .about = 1};
  EXPECT_EQ(step_bytes(step, 4, layout, 4), 4u * (3 + 2 + 2));
  step.about = 3;  // and round the end: 3, 0 and 1
  EXPECT_EQ(step_bytes(step, 4, layout, 4), 4u * (2 + 3 + 3));
  step.op = StepOp::reduce;
  EXPECT_EQ(step_bytes(step, 4, layout, 4), 4u * 2);
}

TEST(Goal, RefusesWhatItCannotSay) {
  const Schedule ring = make(Algorithm::ring, Collective::allreduce, 3);
  EXPECT_FALSE(to_goal(ring, {.bytes = 4, .element_bytes = 0}).ok());
  EXPECT_FALSE(to_goal(ring, {.bytes = std::uint64_t{1} << 60}).ok());
  EXPECT_FALSE(to_goal(ring, {.bytes = 4, .reduce_byte_s = -1}).ok());
  Schedule endless = ring;
  endless.programs[0].steps[0].channel = 1;
  EXPECT_FALSE(to_goal(endless, {}).ok());
  EXPECT_FALSE(to_dot(endless).ok());
  EXPECT_FALSE(to_msccl_xml(endless).ok());
}

TEST(Msccl, EveryScheduleRunsToTheRightResult) {
  for_all_small_schedules([](const Schedule& schedule) {
    const Result<std::string> text = to_msccl_xml(schedule);
    if (!text && text.error().text().starts_with("MSCCL has no ")) return;
    ASSERT_TRUE(text.ok()) << text.error().what();
    const Xml xml = parse_xml(text.value());
    ASSERT_EQ(xml.error, "");
    EXPECT_EQ(wrong_in_msccl(xml.root), "");
  });
}

TEST(Msccl, ItsReaderSeesMistakes) {
  const std::string good = to_msccl_xml(make(Algorithm::ring, Collective::allreduce, 3)).value();
  const auto broken = [&](std::string_view from, std::string_view to) {
    std::string text = good;
    replace(text, from, to);
    const Xml xml = parse_xml(text);
    return xml.error.empty() ? wrong_in_msccl(xml.root) : xml.error.substr(0, 10);
  };
  EXPECT_EQ(broken("</tb>", ""), "expected t");
  EXPECT_EQ(broken("type=\"s\"", "type=s"), "expected =");
  EXPECT_EQ(broken("</algo>", "</algo><algo/>"), "something ");
  EXPECT_EQ(broken("type=\"rrc\"", "type=\"r\""), "wrong result on gpu 0");
  EXPECT_EQ(broken("srcoff=\"2\"", "srcoff=\"1\""), "wrong result on gpu 0");
  EXPECT_EQ(broken("srcoff=\"2\"", "srcoff=\"3\""), "a step leaves its buffer");
  EXPECT_EQ(broken("cnt=\"1\"", "cnt=\"0\""), "counts differ");
  EXPECT_EQ(broken("hasdep=\"1\"", "hasdep=\"0\""), "no hasdep");
  EXPECT_EQ(broken("depid=\"1\" deps=\"0\"", "depid=\"1\" deps=\"3\""), "no hasdep");
  EXPECT_EQ(broken("send=\"-1\" recv=\"2\"", "send=\"1\" recv=\"2\""),
            "two threadblocks have one peer on one channel");
}

TEST(Msccl, SaysWhatItHasNoWordFor) {
  const auto refusal = [](const Schedule& schedule) {
    const Result<std::string> text = to_msccl_xml(schedule);
    EXPECT_FALSE(text.ok());
    if (text) return std::string();
    EXPECT_EQ(text.error().code(), ErrorCode::unsupported);
    return text.error().text();
  };
  EXPECT_EQ(
      refusal(make(Algorithm::knomial, Collective::barrier, 4)),
      "MSCCL has no barrier; it runs allreduce, allgather, reduce_scatter, alltoall, broadcast "
      "and reduce");
  Schedule weighted = make(Algorithm::ring, Collective::allreduce, 3);
  weighted.plan.arrangement = Arrangement::make({0, 1, 2}, {}, {1, 2, 3}).value();
  for (Program& program : weighted.programs) program.plan = weighted.plan;
  EXPECT_EQ(refusal(weighted),
            "the chunks of MSCCL have one size: segments with weights have no form there");
  EXPECT_EQ(refusal(make(Algorithm::ring, Collective::allreduce, 130)),
            "rank 0 would have 258 steps in a threadblock; the interpreter of MSCCL takes 256");
  EXPECT_EQ(refusal(make(Algorithm::one_shot, Collective::allreduce, 120)),
            "rank 0 would have 239 threadblocks; the interpreter of MSCCL takes 216");
}

std::size_t count(std::string_view text, std::string_view part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != text.npos; at = text.find(part, at + 1)) ++found;
  return found;
}

TEST(Dot, HasANodeForEachStepAndAnEdgeForEachMessage) {
  for_all_small_schedules([](const Schedule& schedule) {
    const std::string dot = to_dot(schedule).value();
    std::size_t steps = 0;
    std::size_t sends = 0;
    for (const Program& program : schedule.programs) {
      steps += program.steps.size();
      for (const Step& step : program.steps) sends += step.op == StepOp::send ? 1 : 0;
    }
    EXPECT_EQ(count(dot, "fillcolor="), steps);
    EXPECT_EQ(count(dot, "style=bold"), sends);
    EXPECT_EQ(count(dot, "{"), count(dot, "}"));
  });
  EXPECT_NE(to_dot(make(Algorithm::ring, Collective::allreduce, 64))
                .error()
                .text()
                .find("too large to draw: at most 5000"),
            std::string::npos);
}

}  // namespace
}  // namespace rondo::testing
