#include <gtest/gtest.h>

#include "golden.hpp"
#include "rondo/schedule.hpp"

namespace rondo::testing {
namespace {

Schedule make(Algorithm algorithm, Collective collective, int ranks, int root = 0) {
  return make_schedule({algorithm, collective, ranks, root, 2}).value();
}

TEST(Draw, TextIsAsPeopleReadIt) {
  expect_golden("ring_allreduce_4.txt",
                draw_text(make(Algorithm::ring, Collective::allreduce, 4)).value());
  expect_golden("double_tree_broadcast_5.txt",
                draw_text(make(Algorithm::double_tree, Collective::broadcast, 5, 2)).value());
  expect_golden("one_shot_allreduce_3.txt",
                draw_text(make(Algorithm::one_shot, Collective::allreduce, 3)).value());
  expect_golden("circulant_allreduce_5.txt",
                draw_text(make(Algorithm::circulant, Collective::allreduce, 5)).value());
  expect_golden("halving_doubling_allreduce_6.txt",
                draw_text(make(Algorithm::halving_doubling, Collective::allreduce, 6)).value());
  expect_golden("bruck_alltoall_5.txt",
                draw_text(make(Algorithm::bruck, Collective::alltoall, 5)).value());
  expect_golden("scatter_allgather_broadcast_5.txt",
                draw_text(make(Algorithm::scatter_allgather, Collective::broadcast, 5, 1)).value());
}

TEST(Draw, SvgIsAsPeopleSawIt) {
  expect_golden("ring_allreduce_4.svg",
                draw_svg(make(Algorithm::ring, Collective::allreduce, 4)).value());
}

std::size_t count(std::string_view text, std::string_view part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != text.npos; at = text.find(part, at + 1)) ++found;
  return found;
}

TEST(Draw, EveryMessageIsACurve) {
  for (const Algorithm algorithm :
       {Algorithm::ring, Algorithm::double_tree, Algorithm::two_shot, Algorithm::knomial}) {
    const Schedule schedule = make(algorithm, Collective::allreduce, 7);
    const std::string svg = draw_svg(schedule).value();
    std::size_t sends = 0;
    for (const Program& program : schedule.programs) {
      for (const Step& step : program.steps) sends += step.op == StepOp::send ? 1 : 0;
    }
    EXPECT_EQ(count(svg, "fill=\"none\""), sends) << name(algorithm);
    EXPECT_EQ(count(draw_text(schedule).value(), "→"), sends + 1) << "and one in the legend";
  }
}

TEST(Draw, JsonNamesPublications) {
  const auto named = [](const std::string& json) { return count(json, "\"publication\":1"); };
  const Schedule results_to_all = make(Algorithm::two_shot, Collective::allreduce, 3);
  EXPECT_EQ(named(draw_json(results_to_all).value()), 6u);
  EXPECT_EQ(named(to_json(results_to_all)), 6u);
  EXPECT_EQ(named(to_json(make(Algorithm::ring, Collective::allreduce, 3))), 0u);
}

TEST(Draw, AWorldOfOneIsDrawnToo) {
  const Schedule alone = make(Algorithm::ring, Collective::allreduce, 1);
  EXPECT_NE(draw_text(alone).value().find("0 rounds"), std::string::npos);
  EXPECT_TRUE(draw_svg(alone).ok());
}

TEST(Draw, RefusesWhatNobodyCouldRead) {
  const Schedule large = make(Algorithm::knomial, Collective::allreduce, 129);
  EXPECT_EQ(draw_text(large).error().code(), ErrorCode::unsupported);
  EXPECT_NE(draw_svg(large).error().text().find("too large to draw"), std::string::npos);
}

TEST(Draw, RefusesSchedulesThatDoNotEnd) {
  Schedule schedule = make(Algorithm::ring, Collective::allreduce, 3);
  schedule.programs[0].steps[0].channel = 1;
  EXPECT_FALSE(draw_text(schedule).ok());
  EXPECT_FALSE(draw_svg(schedule).ok());
}

}  // namespace
}  // namespace rondo::testing
