#pragma once

// What is done to lanes.

#include <type_traits>

#include "execute/kernels/elements.hpp"

namespace rondo {

namespace {

/// Whether the lanes of V are floating-point numbers.
template <class V>
constexpr bool is_floating = std::is_floating_point_v<std::remove_reference_t<decltype(V{}[0])>>;

struct Sum {
  static constexpr Fit fit = Fit::rounded;

  template <class V>
  RONDO_INLINE static V fold(V a, V b) {
#if defined(__FMA__)
    // 1 * a + b is the same: the product is exact. There are processors where conversions and
    // additions wait for the same units, but a multiply-add runs on others.
    if constexpr (std::is_same_v<V, Vector<float, 32>>) {
      return reinterpret_cast<V>(_mm256_fmadd_ps(_mm256_set1_ps(1), reinterpret_cast<__m256>(a),
                                                 reinterpret_cast<__m256>(b)));
    }
#endif
    return a + b;
  }
};

struct Prod {
  static constexpr Fit fit = Fit::rounded;

  template <class V>
  RONDO_INLINE static V fold(V a, V b) {
    return a * b;
  }
};

// The result of comparing two vectors: a mask in integers that are as wide as the lanes.
template <class V>
using Mask = decltype(V{} < V{});

// Min and Max of floats: the two that are computed first are what a comparison picks in either
// order of the operands. They are the same, unless these are +0 and -0, or one is a NaN. A NaN has
// all bits of the exponent, so that the bits of both together are a NaN again; of the zeros they
// are -0, and without the sign +0.
struct Min {
  static constexpr Fit fit = Fit::exact;

  template <class V>
  RONDO_INLINE static V fold(V a, V b) {
    if constexpr (is_floating<V>) {
      const auto left = reinterpret_cast<Mask<V>>(a < b ? a : b);
      const auto right = reinterpret_cast<Mask<V>>(b < a ? b : a);
      return reinterpret_cast<V>(left | right);
    } else {
      return a < b ? a : b;
    }
  }
};

struct Max {
  static constexpr Fit fit = Fit::exact;

  template <class V>
  RONDO_INLINE static V fold(V a, V b) {
    if constexpr (is_floating<V>) {
      const auto sign = reinterpret_cast<Mask<V>>(-V{});
      const auto left = reinterpret_cast<Mask<V>>(a > b ? a : b);
      const auto right = reinterpret_cast<Mask<V>>(b > a ? b : a);
      return reinterpret_cast<V>((left | right) & ~((left ^ right) & sign));
    } else {
      return a > b ? a : b;
    }
  }
};

// Of integers, bit by bit.
struct And {
  static constexpr Fit fit = Fit::exact;

  template <class V>
  RONDO_INLINE static V fold(V a, V b) {
    return a & b;
  }
};

struct Or {
  static constexpr Fit fit = Fit::exact;

  template <class V>
  RONDO_INLINE static V fold(V a, V b) {
    return a | b;
  }
};

struct Xor {
  static constexpr Fit fit = Fit::exact;

  template <class V>
  RONDO_INLINE static V fold(V a, V b) {
    return a ^ b;
  }
};

// Of truth values: all but 0 is true, and the result 0 or 1. Comparisons give 0 or -1.
template <class Bitwise>
struct Logical {
  static constexpr Fit fit = Fit::exact;

  template <class V>
  RONDO_INLINE static V fold(V a, V b) {
    return reinterpret_cast<V>(-Bitwise::fold(a != V{}, b != V{}));
  }
};

template <class Op, class V>
RONDO_INLINE V fold(V a, V b) {
  return Op::fold(a, b);
}
template <class Op, class V>
RONDO_INLINE Two<V> fold(Two<V> a, Two<V> b) {
  return {fold<Op>(a.first, b.first), fold<Op>(a.second, b.second)};
}

// What happens to folded lanes before they are stored.

struct Keep {
  explicit Keep(int) {}

  template <class V>
  RONDO_INLINE V operator()(V lanes) const {
    return lanes;
  }
};

template <class T>
struct Divide {
  using Divisor = std::conditional_t<std::is_same_v<T, double>, double, float>;
  Divisor divisor;

  explicit Divide(int by) : divisor(static_cast<Divisor>(by)) {}

  template <class V>
  RONDO_INLINE V operator()(V lanes) const {
    return lanes / divisor;
  }
  template <class V>
  RONDO_INLINE Two<V> operator()(Two<V> lanes) const {
    return {(*this)(lanes.first), (*this)(lanes.second)};
  }
};

// Integers are divided as floats that can hold them, since there are no instructions to divide
// vectors of integers: an inexact quotient is at least 1/divisor below the next whole number, too
// far to be rounded to it. A divisor that the float can't hold exceeds all values of T.
template <class T>
requires(std::is_integral_v<T>) struct Divide<T> {
  using Quotient =
      std::conditional_t<sizeof(T) == 8, T, std::conditional_t<sizeof(T) == 4, double, float>>;
  Quotient divisor;

  explicit Divide(int by) : divisor(static_cast<Quotient>(by)) {}

  template <class V>
  RONDO_APART V operator()(V lanes) const {
    T values[sizeof(V) / sizeof(T)];
    __builtin_memcpy(values, &lanes, sizeof(values));
    for (T& value : values) value = static_cast<T>(static_cast<Quotient>(value) / divisor);
    __builtin_memcpy(&lanes, values, sizeof(values));
    return lanes;
  }
};

}  // namespace

}  // namespace rondo
