#include "schedule/text.hpp"

#include <gtest/gtest.h>

#include <random>

#include "base/text.hpp"
#include "every_plan.hpp"

namespace rondo::testing {
namespace {

const std::string header = "rondo schedule 1\nplan ring allreduce ranks 2 root 0 radix 2\n";
const std::string rank_line = "rank 0 blocks 1 segments 2 scratch 0\n";

TEST(ScheduleText, EveryScheduleRoundTrips) {
  for (int ranks = 1; ranks <= 20; ++ranks) {
    for (const Plan& plan : every_plan(ranks, {2, 5})) {
      const Schedule schedule = make_schedule(plan).value();
      const std::string text = to_text(schedule);
      const Result<Schedule> parsed = parse_schedule(text);
      ASSERT_TRUE(parsed.ok()) << parsed.error().what();
      ASSERT_EQ(parsed.value(), schedule);
      ASSERT_EQ(to_text(parsed.value()), text);
    }
  }
}

TEST(ScheduleText, ArrangementsAndMirrorsRoundTrip) {
  const std::string text =
      "rondo schedule 1\n"
      "plan ring allreduce ranks 1 root 0 radix 2 channels 3 order 2,0,1 groups 1,2 weights "
      "5,0,7\n\n"
      "rank 0 blocks 1 segments 3 scratch 4 mirror 2 from 1\nlane 0\n"
      "  0: recv scratch[0..1] from 1\n"
      "  1: recv scratch[2] from 1 about 1\n";
  const Result<Schedule> parsed = parse_schedule(text);
  ASSERT_TRUE(parsed.ok()) << parsed.error().what();
  EXPECT_EQ(to_text(parsed.value()), text);
  EXPECT_EQ(parsed.value().programs[0].steps[0].about, 1u);
  const auto error_of = [&](std::string_view plan) {
    return parse_schedule(concat("rondo schedule 1\n", plan, "\n")).error().text();
  };
  EXPECT_EQ(error_of("plan ring allreduce ranks 2 root 0 radix 2 order 0,x"),
            "schedule text: line 2: expected ranks as numbers with commas between them, found "
            "'0,x'");
  EXPECT_EQ(error_of("plan ring allreduce ranks 2 root 0 radix 2 order 0,0"),
            "schedule text: line 2: arrangement: rank 0 stands twice in the order");
}

TEST(ScheduleText, ExtremeNumbersRoundTrip) {
  const std::string text =
      "rondo schedule 1\nplan knomial reduce ranks 1 root 2147483647 radix 2147483647\n\n"
      "rank 0 blocks 4294967295 segments 4294967295 scratch 4294967295\nlane 0\n"
      "  0: send in[4294967295] to 2147483647 channel 255 about 7 wait 1023>=4194303 1>=1\n"
      "  1: recv scratch[1..4294967295] from 0 + scratch[0..4294967294] complete about 4294967295\n"
      "  2: copy in[2] to out[3] wait 0>=0 5>=1\n";
  const Result<Schedule> parsed = parse_schedule(text);
  ASSERT_TRUE(parsed.ok()) << parsed.error().what();
  EXPECT_EQ(to_text(parsed.value()), text);
  EXPECT_FALSE(verify(parsed.value()).ok());
}

TEST(ScheduleText, CommentsEmptyLinesAndStepNumbersAreFree) {
  const Schedule schedule =
      make_schedule({Algorithm::ring, Collective::allreduce, 2, 0, 2}).value();
  std::string loose = "# written by hand\r\n\r\n";
  for (const char c : to_text(schedule)) {
    if (c == '\n') loose += "  # so\r";
    loose += c;
  }
  for (const std::string number : {"  0: ", "  1: "}) {
    for (std::size_t at = loose.find(number); at != loose.npos; at = loose.find(number)) {
      loose.erase(at, number.size());
    }
  }
  const Result<Schedule> parsed = parse_schedule(loose);
  ASSERT_TRUE(parsed.ok()) << parsed.error().what();
  EXPECT_EQ(parsed.value(), schedule);
}

struct Case {
  std::string text;
  std::string error;
};

TEST(ScheduleText, ErrorsNameLineProblemAndExpectation) {
  const std::string lane = header + rank_line + "lane 0\n";
  const Case cases[] = {
      {"", "the text ends before its first two lines, 'rondo schedule 1' and 'plan …'"},
      {"hello", "line 1: expected 'rondo', found 'hello'"},
      {"rondo schedule 2", "line 1: expected '1', found '2'"},
      {"rondo schedule 1", "the text ends before its first two lines"},
      {"rondo schedule 1\nplan rings", "line 2: expected an algorithm such as ring, found 'rings'"},
      {"rondo schedule 1\nplan ring",
       "line 2: expected a collective such as allreduce, found the end"},
      {"rondo schedule 1\nplan ring allreduce ranks many",
       "line 2: expected the number of ranks as a number up to 2147483647, found 'many'"},
      {"rondo schedule 1\nplan ring allreduce ranks 99999999999", "found '99999999999'"},
      {header, "the plan has 2 ranks, but the text has 0"},
      {header + "lane 0", "line 3: expected 'rank', found 'lane'"},
      {header + "rank 1", "line 3: expected '0', found '1'"},
      {header + "rank 0 blocks -1",
       "line 3: expected blocks as a number up to 4294967295, found '-1'"},
      {header + rank_line + "send in[0] to 1", "line 4: expected 'lane', found 'send'"},
      {header + rank_line + "lane 1", "line 4: expected '0', found '1'"},
      {lane + "jump",
       "line 5: expected 'send', 'recv', 'copy', 'reduce', 'lane' or 'rank', found 'jump'"},
      {lane + "1: send in[0] to 1", "line 5: expected '0:', found '1:'"},
      {lane + "send inn[0] to 1",
       "line 5: expected segments such as in[3], out[0..7] or scratch[1], found 'inn[0]'"},
      {lane + "send in[3..2] to 1", "found 'in[3..2]'"},
      {lane + "send in[0..4294967295] to 1", "found 'in[0..4294967295]'"},
      {lane + "send in[4294967296] to 1", "found 'in[4294967296]'"},
      {lane + "send in[0] at 1", "line 5: expected 'to', found 'at'"},
      {lane + "send in[0] to x", "line 5: expected a rank as a number up to 2147483647, found 'x'"},
      {lane + "send in[0] to 1 channel 256",
       "expected a channel as a number up to 255, found '256'"},
      {lane + "send in[0] to 1 wait 0>=x", "expected a wait such as 0>=3"},
      {lane + "send in[0] to 1 wait 1024>=1",
       "lane up to 1023, steps up to 4194303), found '1024>=1'"},
      {lane + "send in[0] to 1 wait 0>=1 1>=1 2>=1", "expected the end of the line, found '2>=1'"},
      {lane + "send in[0] to 1 now", "expected the end of the line, found 'now'"},
      {lane + "copy in[0..1] to out[0]", "expected as many segments in in[0..1] as in out[0]"},
      {lane + "recv out[0] from 1 + in[0..1]",
       "expected as many segments in in[0..1] as in out[0]"},
      {lane + "reduce in[0] to out[0..1]", "expected one segment to reduce to"},
      {lane + std::string(500, 'x'), "found '" + std::string(60, 'x') + "…'"},
      {lane + "\x01\xff", "found '?"},
  };
  for (const Case& example : cases) {
    const Result<Schedule> parsed = parse_schedule(example.text);
    ASSERT_FALSE(parsed.ok()) << example.text;
    EXPECT_EQ(parsed.error().code(), ErrorCode::invalid_argument);
    EXPECT_NE(parsed.error().text().find(example.error), std::string::npos)
        << "found:    " << parsed.error().text() << "\nexpected: " << example.error;
  }
}

// Damaged texts must be refused or understood, and what is understood must survive verify().
TEST(ScheduleText, GarbageDoesNoHarm) {
  std::mt19937_64 random(20240229);
  const auto below = [&](std::size_t n) { return static_cast<std::size_t>(random() % n); };
  const std::string words[] = {"0",    "4294967295", "99999999999999999999",
                               "-1",   "in[",        "[",
                               "lane", "rank",       "wait",
                               ":",    "\n",         ">=",
                               "..",   "complete",   "about",
                               "+",    "#"};
  std::vector<std::string> seeds;
  for (const Plan& plan : every_plan(3, {2})) seeds.push_back(to_text(make_schedule(plan).value()));
  int understood = 0;
  for (int round = 0; round < 60'000; ++round) {
    std::string text(seeds[below(seeds.size())]);
    for (std::size_t edits = 1 + below(3); edits > 0; --edits) {
      const std::size_t at = below(text.size());
      switch (below(4)) {
        case 0:
          text[at] = static_cast<char>(random());
          break;
        case 1:
          text.insert(at, words[below(std::size(words))]);
          break;
        case 2:
          text.erase(at, 1 + below(20));
          break;
        default:
          text = text.substr(0, at).append(text, below(text.size()));
      }
      if (text.empty()) text.push_back('x');
    }
    const Result<Schedule> parsed = parse_schedule(text);
    if (!parsed) continue;
    ++understood;
    (void)verify(parsed.value());
    (void)draw_text(parsed.value());
    ASSERT_EQ(parse_schedule(to_text(parsed.value())).value(), parsed.value());
  }
  EXPECT_GT(understood, 100) << "the damage is too great to test anything";
}

}  // namespace
}  // namespace rondo::testing
