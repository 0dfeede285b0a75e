// The 16-bit floats of types.hpp, over all their bit patterns.

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>

#include "rondo/types.hpp"

namespace rondo {
namespace {

// The parameters of a binary format of 16 bits.
struct Format {
  int exponent_bits;
  int mantissa_bits;
};

template <class T>
constexpr Format format_of = {5, 10};
template <>
constexpr Format format_of<bf16> = {8, 7};

int exponent_field(Format format, unsigned bits) {
  return static_cast<int>((bits & 0x7fffu) >> format.mantissa_bits);
}

int special_exponent(Format format) {
  return (1 << format.exponent_bits) - 1;
}

bool is_nan(Format format, unsigned bits) {
  const unsigned mantissa = bits & ((1u << format.mantissa_bits) - 1);
  return exponent_field(format, bits) == special_exponent(format) && mantissa != 0;
}

// The value by the definition of the format. Infinity is given the value that would follow the
// largest finite one: that is how rounding treats it.
double magnitude_of(Format format, unsigned bits) {
  const int bias = (1 << (format.exponent_bits - 1)) - 1;
  const int field = exponent_field(format, bits);
  const unsigned mantissa = bits & ((1u << format.mantissa_bits) - 1);
  const unsigned hidden = field == 0 ? 0 : 1u << format.mantissa_bits;
  return std::ldexp(hidden + mantissa, (field == 0 ? 1 : field) - bias - format.mantissa_bits);
}

template <class T>
class HalfFloatTest : public ::testing::Test {};
using Types = ::testing::Types<f16, bf16>;
TYPED_TEST_SUITE(HalfFloatTest, Types);

TYPED_TEST(HalfFloatTest, EveryPatternWidensToItsValueAndBack) {
  constexpr Format format = format_of<TypeParam>;
  for (unsigned bits = 0; bits <= 0xffff; ++bits) {
    const auto pattern = static_cast<std::uint16_t>(bits);
    const float wide = TypeParam::to_float(pattern);
    const std::uint16_t back = TypeParam::from_float(wide);
    ASSERT_EQ(std::signbit(wide), bits >= 0x8000) << bits;
    if (is_nan(format, bits)) {
      ASSERT_TRUE(std::isnan(wide)) << bits;
      ASSERT_TRUE(is_nan(format, back)) << bits;
      ASSERT_EQ(back & 0x8000u, bits & 0x8000u) << bits;
      continue;
    }
    ASSERT_EQ(back, pattern);
    if (exponent_field(format, bits) == special_exponent(format)) {
      ASSERT_TRUE(std::isinf(wide)) << bits;
    } else {
      ASSERT_EQ(std::fabs(static_cast<double>(wide)), magnitude_of(format, bits)) << bits;
    }
  }
}

// Between each two neighbours: the middle goes to the even one, what is beside it to the nearer.
TYPED_TEST(HalfFloatTest, RoundsToNearestTiesToEven) {
  constexpr Format format = format_of<TypeParam>;
  const auto infinity =
      static_cast<std::uint16_t>(special_exponent(format) << format.mantissa_bits);
  for (std::uint16_t lower = 0; lower < infinity; ++lower) {
    const auto upper = static_cast<std::uint16_t>(lower + 1);
    const double exact = (magnitude_of(format, lower) + magnitude_of(format, upper)) / 2;
    const auto middle = static_cast<float>(exact);
    ASSERT_EQ(static_cast<double>(middle), exact);
    const std::uint16_t even = lower % 2 == 0 ? lower : upper;
    ASSERT_EQ(TypeParam::from_float(middle), even) << lower;
    ASSERT_EQ(TypeParam::from_float(std::nextafter(middle, 0.0f)), lower) << lower;
    ASSERT_EQ(TypeParam::from_float(std::nextafter(middle, HUGE_VALF)), upper) << lower;
    ASSERT_EQ(TypeParam::from_float(-middle), even | 0x8000u) << lower;
  }
}

TEST(HalfFloat, KnownValues) {
  using Limits = std::numeric_limits<float>;
  EXPECT_EQ(f16(1.0f).bits, 0x3c00);
  EXPECT_EQ(f16(65504.0f).bits, 0x7bff);  // the largest finite one
  EXPECT_EQ(f16(65519.0f).bits, 0x7bff);
  EXPECT_EQ(f16(65520.0f).bits, 0x7c00);
  EXPECT_EQ(f16(Limits::max()).bits, 0x7c00);
  EXPECT_EQ(f16(-Limits::infinity()).bits, 0xfc00);
  EXPECT_EQ(f16(0x1p-24f).bits, 0x0001);  // the smallest subnormal
  EXPECT_EQ(f16(0x1p-25f).bits, 0x0000);
  EXPECT_EQ(f16(-0.0f).bits, 0x8000);
  EXPECT_EQ(f16(Limits::denorm_min()).bits, 0x0000);
  EXPECT_EQ(bf16(1.0f).bits, 0x3f80);
  EXPECT_EQ(bf16(Limits::max()).bits, 0x7f80);
  EXPECT_EQ(bf16(Limits::infinity()).bits, 0x7f80);
  EXPECT_EQ(bf16(-0.0f).bits, 0x8000);
  // A NaN whose payload lies only in the bits that are cut off must not become an infinity.
  EXPECT_TRUE(std::isnan(static_cast<float>(bf16(std::bit_cast<float>(0x7f800001u)))));
  EXPECT_TRUE(std::isnan(static_cast<float>(f16(std::bit_cast<float>(0x7f800001u)))));
}

}  // namespace
}  // namespace rondo
