// The kernels against a scalar reference that is written differently: integers modulo 2^64 in
// 64 bits, floats step by step.

#include "execute/reduction.hpp"

#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "base/hash.hpp"
#include "base/invariant.hpp"
#include "base/text.hpp"
#include "short_float.hpp"

namespace rondo {
namespace {

template <class T>
std::vector<Op> all_ops() {
  std::vector<Op> ops;
  for (int i = 0; i < op_count; ++i) {
    if (is_defined(static_cast<Op>(i), dtype_of<T>::value)) ops.push_back(static_cast<Op>(i));
  }
  return ops;
}

// The type in which a reference value is kept.
template <class T>
using Reference = std::conditional_t<testing::is_short_float<T>, float, T>;

// Integers of all bit patterns, and 0 now and then; floats of both signs with an infinity, a NaN
// and a zero now and then.
template <class T>
T input(std::size_t source, std::size_t index) {
  const std::uint64_t bits = splitmix(source * 7919 + index);
  if constexpr (std::is_integral_v<T>) {
    return static_cast<T>(bits % 3 == 0 ? 0 : bits);
  } else {
    using Limits = std::numeric_limits<float>;
    if (bits % 61 == 0) return T(Limits::quiet_NaN());
    if (bits % 59 == 0) return T(bits % 2 == 0 ? Limits::infinity() : -Limits::infinity());
    const auto numerator = static_cast<float>(static_cast<int>(bits % 2001) - 1000);
    return T(numerator / 64.0f);
  }
}

template <class T>
Reference<T> fold_reference(Op op, Reference<T> a, Reference<T> b) {
  if constexpr (std::is_integral_v<T>) {
    const auto left = static_cast<std::uint64_t>(a);
    const auto right = static_cast<std::uint64_t>(b);
    if (op == Op::prod) return static_cast<T>(left * right);
    if (op == Op::sum || op == Op::avg) return static_cast<T>(left + right);
    if (op == Op::band) return static_cast<T>(left & right);
    if (op == Op::bor) return static_cast<T>(left | right);
    if (op == Op::bxor) return static_cast<T>(left ^ right);
    if (op == Op::land) return static_cast<T>(left != 0 && right != 0);
    if (op == Op::lor) return static_cast<T>(left != 0 || right != 0);
    if (op == Op::lxor) return static_cast<T>((left == 0) != (right == 0));
  } else {
    if (op == Op::prod) return a * b;
    if (op == Op::sum || op == Op::avg) return a + b;
    if (std::isnan(a) || std::isnan(b)) return std::numeric_limits<Reference<T>>::quiet_NaN();
  }
  return op == Op::min ? std::min(a, b) : std::max(a, b);
}

template <class T>
T reference(Op op, const std::vector<std::vector<T>>& sources, std::size_t index, int divisor) {
  auto folded = static_cast<Reference<T>>(sources[0][index]);
  for (std::size_t s = 1; s < sources.size(); ++s) {
    folded = fold_reference<T>(op, folded, static_cast<Reference<T>>(sources[s][index]));
  }
  if (op == Op::avg && divisor > 1) {
    if constexpr (std::is_unsigned_v<T>) {
      folded = static_cast<T>(std::uint64_t{folded} / static_cast<std::uint64_t>(divisor));
    } else if constexpr (std::is_integral_v<T>) {
      folded = static_cast<T>(std::int64_t{folded} / divisor);
    } else {
      folded /= static_cast<Reference<T>>(divisor);
    }
  }
  return static_cast<T>(folded);
}

template <class T>
bool same(T a, T b) {
  if constexpr (std::is_integral_v<T>) {
    return a == b;
  } else {
    const auto x = static_cast<Reference<T>>(a);
    const auto y = static_cast<Reference<T>>(b);
    return x == y || (std::isnan(x) && std::isnan(y));
  }
}

// Elements at an address that is `offset` bytes off any alignment, with guards around them.
template <class T>
class Unaligned {
 public:
  Unaligned(std::size_t count, std::size_t offset)
      : offset_(guard + offset), count_(count), bytes_(offset_ + count * sizeof(T) + guard) {
    std::memset(bytes_.data(), 0x5a, bytes_.size());
  }
  void fill(const std::vector<T>& values) {
    if (count_ > 0) std::memcpy(data(), values.data(), count_ * sizeof(T));
  }
  void* data() { return bytes_.data() + offset_; }
  T at(std::size_t index) const {
    T value;
    std::memcpy(&value, bytes_.data() + offset_ + index * sizeof(T), sizeof(T));
    return value;
  }
  bool guards_intact() const {
    const std::size_t end = offset_ + count_ * sizeof(T);
    for (std::size_t i = 0; i < bytes_.size(); ++i) {
      if ((i < offset_ || i >= end) && bytes_[i] != std::byte{0x5a}) return false;
    }
    return true;
  }

 private:
  static constexpr std::size_t guard = 64;
  std::size_t offset_;
  std::size_t count_;
  std::vector<std::byte> bytes_;
};

struct Case {
  Op op;
  std::size_t sources;
  std::size_t count;
  std::size_t offset;
  int alias;  // the source that is the destination, or -1
  int divisor;
};

template <class T>
std::string run_case(const Case& c) {
  std::vector<std::vector<T>> values(c.sources);
  std::vector<Unaligned<T>> memory;
  for (std::size_t s = 0; s < c.sources; ++s) {
    for (std::size_t i = 0; i < c.count; ++i) values[s].push_back(input<T>(s, i));
    memory.emplace_back(c.count, c.offset * (s + 1));
    memory.back().fill(values[s]);
  }
  Unaligned<T> apart(c.count, c.offset);
  Unaligned<T>& target = c.alias < 0 ? apart : memory[static_cast<std::size_t>(c.alias)];
  std::vector<const void*> sources;
  for (Unaligned<T>& source : memory) sources.push_back(source.data());
  reduce(dtype_of<T>::value, c.op, target.data(), sources, c.count, c.divisor);
  for (std::size_t i = 0; i < c.count; ++i) {
    if (!same(target.at(i), reference<T>(c.op, values, i, c.divisor))) {
      return concat("element ", i, " is wrong");
    }
    for (std::size_t s = 0; s < c.sources; ++s) {
      const bool is_target = static_cast<int>(s) == c.alias;
      if (!is_target && !same(memory[s].at(i), values[s][i])) {
        return concat("element ", i, " of source ", s, " was written");
      }
    }
  }
  return target.guards_intact() ? "" : "bytes around the destination were written";
}

template <class T>
class ReductionTest : public ::testing::Test {};
using Types = ::testing::Types<std::int8_t, std::uint8_t, std::int16_t, std::uint16_t, std::int32_t,
                               std::uint32_t, std::int64_t, std::uint64_t, f16, bf16, float, double,
                               f8e4m3, f8e5m2>;
TYPED_TEST_SUITE(ReductionTest, Types);

TYPED_TEST(ReductionTest, AgreesWithReference) {
  for (const Op op : all_ops<TypeParam>()) {
    for (std::size_t sources = 1; sources <= 5; ++sources) {
      for (const std::size_t count : {0, 1, 7, 64, 1000}) {
        for (const std::size_t offset : {0, 1, 3}) {
          for (int alias = -1; alias < static_cast<int>(sources); ++alias) {
            for (const int divisor : {1, 3, 200}) {
              const std::string wrong =
                  run_case<TypeParam>({op, sources, count, offset, alias, divisor});
              ASSERT_EQ(wrong, "") << name(dtype_of<TypeParam>::value) << " " << name(op) << " of "
                                   << sources << " sources, " << count << " elements, offset "
                                   << offset << ", alias " << alias << ", divisor " << divisor;
            }
          }
        }
      }
    }
  }
}

template <class T>
T reduce_values(Op op, const std::vector<T>& values, int divisor = 1) {
  std::vector<const void*> sources;
  for (const T& value : values) sources.push_back(&value);
  T result{};
  reduce(dtype_of<T>::value, op, &result, sources, 1, divisor);
  return result;
}

template <class T>
class IntegerReductionTest : public ::testing::Test {};
using Integers = ::testing::Types<std::int8_t, std::uint8_t, std::int16_t, std::uint16_t,
                                  std::int32_t, std::uint32_t, std::int64_t, std::uint64_t>;
TYPED_TEST_SUITE(IntegerReductionTest, Integers);

TYPED_TEST(IntegerReductionTest, Wraps) {
  using T = TypeParam;
  using Limits = std::numeric_limits<T>;
  EXPECT_EQ(reduce_values<T>(Op::sum, {Limits::max(), 1}), Limits::min());
  EXPECT_EQ(reduce_values<T>(Op::sum, {Limits::max(), 1, 2}), static_cast<T>(Limits::min() + 2));
  // (2^n - 1)^2 = 1 modulo 2^n, and (2^(n-1) - 1)^2 = 1 modulo 2^n
  EXPECT_EQ(reduce_values<T>(Op::prod, {Limits::max(), Limits::max()}), T{1});
  EXPECT_EQ(reduce_values<T>(Op::prod, {Limits::max(), Limits::max(), 5}), T{5});
  // avg divides the sum after it has wrapped.
  EXPECT_EQ(reduce_values<T>(Op::avg, {Limits::max(), 1}, 2), static_cast<T>(Limits::min() / 2));
}

// Whatever is not 0 is true, also where no bit is set in both.
TYPED_TEST(IntegerReductionTest, LogicalOperationsGiveZeroOrOne) {
  using T = TypeParam;
  EXPECT_EQ(reduce_values<T>(Op::land, {2, 1}), T{1});
  EXPECT_EQ(reduce_values<T>(Op::land, {2, 0, 1}), T{0});
  EXPECT_EQ(reduce_values<T>(Op::lor, {0, 0, 64}), T{1});
  EXPECT_EQ(reduce_values<T>(Op::lor, {0, 0}), T{0});
  EXPECT_EQ(reduce_values<T>(Op::lxor, {2, 4}), T{0});
  EXPECT_EQ(reduce_values<T>(Op::lxor, {2, 4, 8}), T{1});
  // Of one alone, what that one gave.
  EXPECT_EQ(reduce_values<T>(Op::lor, {64}), T{64});
}

TEST(Reduction, AverageTruncatesTowardZero) {
  EXPECT_EQ(reduce_values<std::int32_t>(Op::avg, {-3, -4}, 2), -3);
  EXPECT_EQ(reduce_values<std::int32_t>(Op::avg, {3, 4}, 2), 3);
  EXPECT_EQ(reduce_values<std::int8_t>(Op::avg, {-100, 0, 0}, 300), 0);
  EXPECT_EQ(reduce_values<std::uint32_t>(Op::avg, {4000000000u, 1u}, 2), 2000000000u);
}

TEST(Reduction, AverageDividesOneSource) {
  EXPECT_EQ(reduce_values<std::int16_t>(Op::avg, {-7}, 2), -3);
  EXPECT_EQ(reduce_values<double>(Op::avg, {7.0}, 4), 1.75);
}

TEST(Reduction, OnlyAverageDivides) {
  EXPECT_EQ(reduce_values<float>(Op::sum, {4, 8}, 2), 12.0f);
  EXPECT_EQ(reduce_values<float>(Op::prod, {4, 8}, 2), 32.0f);
  EXPECT_EQ(reduce_values<float>(Op::max, {4, 8}, 2), 8.0f);
}

// 2048 + 1 + 1 is 2050 in float32, but 2048 after rounding to binary16 twice.
TEST(Reduction, HalfFloatsAreRoundedOnce) {
  EXPECT_EQ(reduce_values<f16>(Op::sum, {f16(2048), f16(1), f16(1)}), f16(2050));
  EXPECT_EQ(f16(static_cast<float>(f16(2048.0f + 1.0f)) + 1.0f), f16(2048));
  EXPECT_EQ(reduce_values<bf16>(Op::sum, {bf16(256), bf16(1), bf16(1)}), bf16(258));
  EXPECT_EQ(bf16(static_cast<float>(bf16(256.0f + 1.0f)) + 1.0f), bf16(256));
  // The sum does not fit binary16, the average does.
  EXPECT_EQ(reduce_values<f16>(Op::avg, {f16(60000), f16(60000)}, 2), f16(60000));
}

template <class T>
void expect_nan_wins() {
  const T nan(std::numeric_limits<float>::quiet_NaN());
  for (const Op op : {Op::min, Op::max}) {
    for (const std::size_t sources : {2, 3, 5}) {
      for (std::size_t place = 0; place < sources; ++place) {
        std::vector<T> values(sources, T(1.0f));
        values.back() = T(-std::numeric_limits<float>::infinity());
        values.front() = T(std::numeric_limits<float>::infinity());
        values[place] = nan;
        EXPECT_TRUE(std::isnan(static_cast<Reference<T>>(reduce_values<T>(op, values))))
            << name(op) << " of " << sources << " with a NaN in place " << place;
      }
    }
  }
}

TEST(Reduction, NanWinsInAnyPlace) {
  expect_nan_wins<f16>();
  expect_nan_wins<bf16>();
  expect_nan_wins<f8e4m3>();
  expect_nan_wins<f8e5m2>();
  expect_nan_wins<float>();
  expect_nan_wins<double>();
}

// All pairs of values whose order a comparison does not see, or might see in one order only.
template <class T>
void expect_same_bits_in_both_orders() {
  using Bits = std::conditional_t<sizeof(T) == 2, std::uint16_t,
                                  std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>>;
  constexpr Bits sign = Bits{1} << (8 * sizeof(T) - 1);
  const auto infinity = std::bit_cast<Bits>(T(std::numeric_limits<float>::infinity()));
  const auto one = std::bit_cast<Bits>(T(1.0f));
  std::vector<T> values;
  for (const Bits bits : {Bits{0}, Bits{1}, one, infinity, static_cast<Bits>(infinity | 1),
                          static_cast<Bits>(infinity | 2), static_cast<Bits>(sign - 1)}) {
    values.push_back(std::bit_cast<T>(bits));
    values.push_back(std::bit_cast<T>(static_cast<Bits>(bits | sign)));
  }
  for (const Op op : {Op::min, Op::max}) {
    for (const T& a : values) {
      for (const T& b : values) {
        constexpr std::size_t count = 67;  // for vector code and the rest after it
        const std::vector<T> left(count, a);
        const std::vector<T> right(count, b);
        std::vector<T> one_way(count);
        std::vector<T> other_way(count);
        const std::array<const void*, 2> sources = {left.data(), right.data()};
        const std::array<const void*, 2> reversed = {right.data(), left.data()};
        reduce(dtype_of<T>::value, op, one_way.data(), sources, count);
        reduce(dtype_of<T>::value, op, other_way.data(), reversed, count);
        EXPECT_EQ(std::memcmp(one_way.data(), other_way.data(), count * sizeof(T)), 0)
            << name(dtype_of<T>::value) << " " << name(op) << " of " << std::bit_cast<Bits>(a)
            << " and " << std::bit_cast<Bits>(b) << " as bits";
      }
    }
  }
  const T minus = std::bit_cast<T>(sign);
  for (const std::vector<T>& zeros : {std::vector<T>{T(0.0f), minus},
                                      {minus, T(0.0f)},
                                      {T(0.0f), minus, T(0.0f)},
                                      {minus, T(0.0f), minus}}) {
    EXPECT_EQ(std::bit_cast<Bits>(reduce_values<T>(Op::min, zeros)), sign);
    EXPECT_EQ(std::bit_cast<Bits>(reduce_values<T>(Op::max, zeros)), Bits{0});
  }
}

TEST(Reduction, MinAndMaxMakeTheSameBitsInBothOrders) {
  expect_same_bits_in_both_orders<f16>();
  expect_same_bits_in_both_orders<bf16>();
  expect_same_bits_in_both_orders<float>();
  expect_same_bits_in_both_orders<double>();
}

TEST(Reduction, NoSourceIsABug) {
  float result = 0;
  EXPECT_THROW(reduce(DType::f32, Op::sum, &result, {}, 1), InvariantBroken);
}

TEST(Reduction, BitsOfFloatsAreABug) {
  float result = 0;
  const void* source = &result;
  EXPECT_THROW(reduce(DType::f32, Op::band, &result, {&source, 1}, 1), InvariantBroken);
}

}  // namespace
}  // namespace rondo
