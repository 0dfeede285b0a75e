#include "base/text.hpp"

#include <gtest/gtest.h>

namespace rondo {
namespace {

TEST(Text, ranks_are_listed_in_ranges) {
  EXPECT_EQ(list_ranks({2}), "rank 2");
  EXPECT_EQ(list_ranks({2, 3}), "ranks 2, 3");
  EXPECT_EQ(list_ranks({2, 5, 6, 7, 9}), "ranks 2, 5-7, 9");
  EXPECT_EQ(list_ranks({0, 1, 2, 3}), "ranks 0-3");
}

TEST(Text, json_has_quotes_and_control_characters_escaped) {
  EXPECT_EQ(json_text("a \"b\"\n\\ µ"), R"("a \"b\"\u000a\\ µ")");
}

}  // namespace
}  // namespace rondo
