// Plan files: what people write, and what they are told when it is wrong.

#include "plan/rules.hpp"

#include <gtest/gtest.h>

namespace rondo {
namespace {

TEST(Rules, AreReadAndWritten) {
  const std::string text =
      "allreduce 0B..32KiB one_shot tile 0B\n"
      "allreduce 32KiB.. ring channels 2 order near tile 256KiB ranks 4\n"
      "broadcast 0B.. knomial radix 8";
  const auto rules = parse_rules("# measured\n\n" + text + "  # by hand\n");
  ASSERT_TRUE(rules.ok()) << rules.error().text();
  ASSERT_EQ(rules.value().size(), 3u);
  std::string again;
  for (const Rule& rule : rules.value()) {
    if (!again.empty()) again += '\n';
    again += to_text(rule);
  }
  EXPECT_EQ(again, text);
  const Rule& ring = rules.value()[1];
  EXPECT_EQ(ring.line, 4);
  EXPECT_EQ(ring.pins.channels, 2);
  EXPECT_TRUE(ring.covers(Collective::allreduce, 4, 32768));
  EXPECT_FALSE(ring.covers(Collective::allreduce, 4, 32767));
  EXPECT_FALSE(ring.covers(Collective::allreduce, 5, 32768));
  EXPECT_FALSE(ring.covers(Collective::broadcast, 4, 32768));
  EXPECT_TRUE(parse_rules("").value().empty());
}

TEST(Rules, ErrorsNameTheLineAndWhatIsRight) {
  const std::pair<const char*, const char*> wrong[] = {
      {"dance .. ring", "line 1: expected a collective such as allreduce, found 'dance'"},
      {"\nallreduce ring", "line 2: expected sizes such as 0..32KiB, 32KiB.. or .., found 'ring'"},
      {"allreduce 4..4 ring", "there are no sizes in '4..4'"},
      {"allreduce 4..many ring", "expected sizes"},
      {"allreduce ..", "expected one of ring,"},
      {"broadcast .. ring", "line 1: there is no ring broadcast; it has"},
      {"allreduce .. automatic", "expected one of"},
      {"allreduce .. ring radix 4", "only knomial has a radix, not ring"},
      {"allreduce .. knomial radix 1", "expected a number from 2 to 64, found '1'"},
      {"allreduce .. ring channels many", "expected a number from 1 to 16"},
      {"allreduce .. ring order up", "expected ranks, near or weighted, found 'up'"},
      {"allreduce .. ring tile", "expected a size such as 256KiB"},
      {"allreduce .. ring fast", "expected radix, channels, order, tile, ranks"},
      {"allreduce 0..8 ring\nallreduce 4.. ring", "line 2: line 1 is about some of these sizes"},
  };
  for (const auto& [text, expected] : wrong) {
    const auto rules = parse_rules(text);
    ASSERT_FALSE(rules.ok()) << text;
    EXPECT_NE(rules.error().text().find(expected), std::string::npos)
        << "found:    " << rules.error().text() << "\nexpected: " << expected;
  }
}

}  // namespace
}  // namespace rondo
