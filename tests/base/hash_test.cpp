#include "base/hash.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <string_view>

namespace rondo {
namespace {

std::uint64_t fnv1a_of(std::string_view text) {
  return fnv1a(std::as_bytes(std::span(text)));
}

// The published values.
TEST(Hash, fnv1a_is_what_others_call_so) {
  EXPECT_EQ(fnv1a_of(""), 0xcbf29ce484222325u);
  EXPECT_EQ(fnv1a_of("a"), 0xaf63dc4c8601ec8cu);
  EXPECT_EQ(fnv1a_of("foobar"), 0x85944171f73967e8u);
}

TEST(Hash, parts_can_be_added_one_after_the_other) {
  const std::string_view text = "foobar";
  const auto bytes = std::as_bytes(std::span(text));
  EXPECT_EQ(fnv1a(bytes.subspan(2), fnv1a(bytes.first(2))), fnv1a(bytes));
}

TEST(Hash, splitmix_starts_as_published) {
  EXPECT_EQ(splitmix(0), 0xe220a8397b1dcdafu);
}

TEST(Hash, splitmix_spreads_every_bit) {
  for (int bit = 0; bit < 64; ++bit) {
    const int changed =
        std::popcount(splitmix(12345) ^ splitmix(12345 ^ (std::uint64_t{1} << bit)));
    EXPECT_GT(changed, 16) << bit;
    EXPECT_LT(changed, 48) << bit;
  }
}

TEST(Hash, bits_are_the_same_only_when_all_are) {
  const Bits128 bits = {};
  for (std::size_t i = 0; i < bits.size() * 8; ++i) {
    Bits128 other = bits;
    other[i / 8] ^= std::byte{1} << (i % 8);
    EXPECT_FALSE(same_bits(bits, other));
  }
  EXPECT_TRUE(same_bits(bits, Bits128{}));
}

}  // namespace
}  // namespace rondo
