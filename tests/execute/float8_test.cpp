// The 8-bit floats of types.hpp: all their bit patterns, and what is made of all pairs of them by
// the kernels of each instruction set that this machine has.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "base/text.hpp"
#include "execute/isa.hpp"
#include "execute/reduction.hpp"

namespace rondo {
namespace {

// By the definition of the formats, in the words of the OCP specification.
struct Format {
  int exponent_bits;
  int mantissa_bits;
  int bias;
  unsigned largest;  ///< finite one
  bool has_infinity;
};
template <class T>
constexpr Format format_of = {4, 3, 7, 0x7e, false};
template <>
constexpr Format format_of<f8e5m2> = {5, 2, 15, 0x7b, true};

template <class T>
bool is_finite(unsigned bits) {
  return (bits & 0x7f) <= format_of<T>.largest;
}

// Also of the pattern behind the largest finite one: the value that would follow.
template <class T>
double magnitude_of(unsigned bits) {
  constexpr Format format = format_of<T>;
  const int field = static_cast<int>(bits & 0x7f) >> format.mantissa_bits;
  const unsigned hidden = field == 0 ? 0 : 1u << format.mantissa_bits;
  const unsigned mantissa = bits & ((1u << format.mantissa_bits) - 1);
  return std::ldexp(hidden + mantissa, std::max(field, 1) - format.bias - format.mantissa_bits);
}

template <class T>
double value_of(unsigned bits) {
  if (!is_finite<T>(bits)) {
    const bool is_infinite = format_of<T>.has_infinity && (bits & 0x7f) == 0x7c;
    const double magnitude = is_infinite ? HUGE_VAL : std::numeric_limits<double>::quiet_NaN();
    return std::copysign(magnitude, bits < 0x80 ? 1.0 : -1.0);
  }
  return std::copysign(magnitude_of<T>(bits), bits < 0x80 ? 1.0 : -1.0);
}

// The nearest of all patterns; of two the even one.
template <class T>
unsigned nearest(float value) {
  const unsigned sign = std::signbit(value) ? 0x80 : 0;
  if (std::isnan(value)) return sign | 0x7f;
  const double wanted = std::fabs(static_cast<double>(value));
  constexpr unsigned limit = format_of<T>.largest + (format_of<T>.has_infinity ? 1 : 0);
  unsigned upper = 0;
  while (upper < limit && magnitude_of<T>(upper) < wanted) ++upper;
  if (upper == 0 || magnitude_of<T>(upper) < wanted) return sign | upper;
  const double below = wanted - magnitude_of<T>(upper - 1);
  const double above = magnitude_of<T>(upper) - wanted;
  const bool is_lower = below < above || (below == above && upper % 2 == 1);
  return sign | (is_lower ? upper - 1 : upper);
}

template <class T>
class Float8Test : public ::testing::Test {};
using Types = ::testing::Types<f8e4m3, f8e5m2>;
TYPED_TEST_SUITE(Float8Test, Types);

TYPED_TEST(Float8Test, EveryPatternWidensToItsValueAndBack) {
  for (unsigned bits = 0; bits <= 0xff; ++bits) {
    const float wide = TypeParam::to_float(static_cast<std::uint8_t>(bits));
    const double expected = value_of<TypeParam>(bits);
    ASSERT_EQ(std::signbit(wide), bits >= 0x80) << bits;
    ASSERT_EQ(std::isnan(wide), std::isnan(expected)) << bits;
    if (std::isnan(wide)) {
      ASSERT_EQ(TypeParam::from_float(wide), bits | 0x7f);
    } else {
      ASSERT_EQ(static_cast<double>(wide), expected) << bits;
      ASSERT_EQ(TypeParam::from_float(wide), bits);
    }
  }
}

// Between each two neighbours: the middle goes to the even one, what is beside it to the nearer.
TYPED_TEST(Float8Test, RoundsToNearestTiesToEven) {
  constexpr Format format = format_of<TypeParam>;
  for (unsigned lower = 0; lower < format.largest + (format.has_infinity ? 1 : 0); ++lower) {
    const double exact = (magnitude_of<TypeParam>(lower) + magnitude_of<TypeParam>(lower + 1)) / 2;
    const auto middle = static_cast<float>(exact);
    ASSERT_EQ(static_cast<double>(middle), exact);
    const unsigned even = lower % 2 == 0 ? lower : lower + 1;
    ASSERT_EQ(TypeParam::from_float(middle), even) << lower;
    ASSERT_EQ(TypeParam::from_float(std::nextafter(middle, 0.0f)), lower) << lower;
    ASSERT_EQ(TypeParam::from_float(std::nextafter(middle, HUGE_VALF)), lower + 1) << lower;
    ASSERT_EQ(TypeParam::from_float(-middle), even | 0x80) << lower;
  }
}

// Every 65537th float32 of all.
TYPED_TEST(Float8Test, RoundsAllOtherNumbers) {
  for (std::uint64_t word = 0; word <= 0xffffffffu; word += 0x10001) {
    const auto value = std::bit_cast<float>(static_cast<std::uint32_t>(word));
    ASSERT_EQ(TypeParam::from_float(value), nearest<TypeParam>(value)) << value;
  }
}

TEST(Float8, KnownValues) {
  using Limits = std::numeric_limits<float>;
  EXPECT_EQ(f8e4m3(1.0f).bits, 0x38);
  EXPECT_EQ(f8e4m3(448.0f).bits, 0x7e);  // the largest one
  EXPECT_EQ(f8e4m3(465.0f).bits, 0x7e);  // there is no infinity
  EXPECT_EQ(f8e4m3(-Limits::infinity()).bits, 0xfe);
  EXPECT_EQ(f8e4m3(0x1p-9f).bits, 0x01);  // the smallest subnormal
  EXPECT_EQ(f8e4m3(0x1p-10f).bits, 0x00);
  EXPECT_EQ(f8e4m3(-0.0f).bits, 0x80);
  EXPECT_EQ(f8e5m2(1.0f).bits, 0x3c);
  EXPECT_EQ(f8e5m2(57344.0f).bits, 0x7b);  // the largest finite one
  EXPECT_EQ(f8e5m2(61439.0f).bits, 0x7b);
  EXPECT_EQ(f8e5m2(61440.0f).bits, 0x7c);
  EXPECT_EQ(f8e5m2(-Limits::max()).bits, 0xfc);
  EXPECT_EQ(f8e5m2(0x1p-16f).bits, 0x01);
  EXPECT_TRUE(std::isnan(static_cast<float>(f8e5m2(std::bit_cast<float>(0x7f800001u)))));
  EXPECT_TRUE(std::isnan(static_cast<float>(f8e4m3(std::bit_cast<float>(0xff800001u)))));
}

float folded(Op op, float a, float b) {
  if (op == Op::sum) return a + b;
  if (op == Op::avg) return (a + b) / 3.0f;
  if (op == Op::prod) return a * b;
  if (std::isnan(a) || std::isnan(b)) return std::numeric_limits<float>::quiet_NaN();
  // Of the zeros the lesser one is the negative one.
  const bool is_less = a < b || (a == b && std::signbit(a));
  return (op == Op::min) == is_less ? a : b;
}

std::vector<Isa> all_isas() {
  std::vector<Isa> all;
  for (int i = 0; i < isa_count; ++i) {
    if (is_supported(static_cast<Isa>(i))) all.push_back(static_cast<Isa>(i));
  }
  return all;
}

// All pairs, as elements of two buffers.
TYPED_TEST(Float8Test, AllPairsAreFoldedAsFloat32AndRoundedOnce) {
  constexpr std::size_t patterns = 256;
  std::vector<std::uint8_t> left;
  std::vector<std::uint8_t> right;
  for (std::size_t pair = 0; pair < patterns * patterns; ++pair) {
    left.push_back(static_cast<std::uint8_t>(pair / patterns));
    right.push_back(static_cast<std::uint8_t>(pair % patterns));
  }
  const std::array<const void*, 2> sources = {left.data(), right.data()};
  const Isa before = isa_in_use();
  for (const Isa isa : all_isas()) {
    use_isa(isa);
    for (const Op op : {Op::sum, Op::prod, Op::min, Op::max, Op::avg}) {
      std::vector<std::uint8_t> result(left.size());
      reduce(dtype_of<TypeParam>::value, op, result.data(), sources, result.size(), 3);
      for (std::size_t i = 0; i < result.size(); ++i) {
        const float exact = folded(op, TypeParam::to_float(left[i]), TypeParam::to_float(right[i]));
        const unsigned expected = nearest<TypeParam>(exact);
        const bool is_nan = std::isnan(exact) && (result[i] & 0x7f) == 0x7f;
        ASSERT_TRUE(is_nan || result[i] == expected)
            << name(isa) << ": " << name(op) << " of " << int{left[i]} << " and " << int{right[i]}
            << " is " << int{result[i]} << " instead of " << expected;
      }
    }
  }
  use_isa(before);
}

}  // namespace
}  // namespace rondo
