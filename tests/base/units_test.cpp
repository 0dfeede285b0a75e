#include "base/units.hpp"

#include <gtest/gtest.h>

namespace rondo {
namespace {

TEST(Units, BytesAreReadAsTheyAreWritten) {
  EXPECT_EQ(parse_bytes("0"), 0u);
  EXPECT_EQ(parse_bytes("4B"), 4u);
  EXPECT_EQ(parse_bytes("32KiB"), 32768u);
  EXPECT_EQ(parse_bytes("32k"), 32768u);
  EXPECT_EQ(parse_bytes("3G"), std::uint64_t{3} << 30);
  for (const char* wrong : {"", "K", "4KB", "4x", "-1", "1.5M", "99999999999T", "4 KiB"}) {
    EXPECT_EQ(parse_bytes(wrong), std::nullopt) << wrong;
  }
  EXPECT_EQ(bytes_text(32768), "32 KiB");
  EXPECT_EQ(bytes_text(1000), "1000 B");
  EXPECT_EQ(seconds_text(2.37e-6), "2.37 µs");
}

}  // namespace
}  // namespace rondo
