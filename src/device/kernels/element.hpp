#pragma once

// The rule for one element: what the kernels of devices do, and what the kernels of processors
// must do, too, bit for bit but for which NaN a NaN is.
//
// An operation is a line here: a Fold of its own, for the types for which it is meant. The tables
// of kernels follow from that.

#include <bit>
#include <concepts>
#include <cstdint>
#include <type_traits>

#include "rondo/types.hpp"

namespace rondo::element {

/// What elements are folded as.
template <class T>
struct WideOf {
  using Type = std::conditional_t<std::is_arithmetic_v<T>, T, float>;
};
template <class T>
using Wide = typename WideOf<T>::Type;

/// Unsigned numbers wrap, and these are not promoted to signed ones.
template <class T>
using Modular = std::conditional_t<(sizeof(T) > 4), std::uint64_t, std::uint32_t>;

template <class A>
constexpr A add(A a, A b) {
  if constexpr (std::is_floating_point_v<A>) {
    return a + b;
  } else {
    return static_cast<A>(static_cast<Modular<A>>(a) + static_cast<Modular<A>>(b));
  }
}

template <class A>
constexpr A multiply(A a, A b) {
  if constexpr (std::is_floating_point_v<A>) {
    return a * b;
  } else {
    return static_cast<A>(static_cast<Modular<A>>(a) * static_cast<Modular<A>>(b));
  }
}

// Of floats a comparison picks in both orders of the operands. What it picks is the same, unless
// these are +0 and -0, or one is a NaN. A NaN has all bits of the exponent, so that the bits of
// both together are a NaN again; of the zeros they are -0, and without the sign +0.
template <class A>
constexpr A least(A a, A b) {
  if constexpr (std::is_floating_point_v<A>) {
    const auto left = std::bit_cast<Modular<A>>(a < b ? a : b);
    const auto right = std::bit_cast<Modular<A>>(b < a ? b : a);
    return std::bit_cast<A>(left | right);
  } else {
    return a < b ? a : b;
  }
}

template <class A>
constexpr A greatest(A a, A b) {
  if constexpr (std::is_floating_point_v<A>) {
    constexpr Modular<A> sign = Modular<A>{1} << (8 * sizeof(A) - 1);
    const auto left = std::bit_cast<Modular<A>>(a > b ? a : b);
    const auto right = std::bit_cast<Modular<A>>(b > a ? b : a);
    return std::bit_cast<A>((left | right) & ~((left ^ right) & sign));
  } else {
    return a > b ? a : b;
  }
}

#define RONDO_FOLD(operation, Condition, result)                                              \
  template <>                                                                                 \
  struct Fold<operation> {                                                                    \
    template <class A>                                                                        \
    requires(Condition<A>) static constexpr A of(A a, A b) { return static_cast<A>(result); } \
  }

template <class A>
inline constexpr bool any_type = true;

template <Op op>
struct Fold {};
RONDO_FOLD(Op::sum, any_type, add(a, b));
RONDO_FOLD(Op::prod, any_type, multiply(a, b));
RONDO_FOLD(Op::min, any_type, least(a, b));
RONDO_FOLD(Op::max, any_type, greatest(a, b));
RONDO_FOLD(Op::avg, any_type, add(a, b));
RONDO_FOLD(Op::band, std::integral, (a & b));
RONDO_FOLD(Op::bor, std::integral, a | b);
RONDO_FOLD(Op::bxor, std::integral, a ^ b);
// All but 0 is true, and the result 0 or 1.
RONDO_FOLD(Op::land, std::integral, a != 0 && b != 0);
RONDO_FOLD(Op::lor, std::integral, a != 0 || b != 0);
RONDO_FOLD(Op::lxor, std::integral, (a != 0) != (b != 0));

#undef RONDO_FOLD

/// Whether there is a rule for elements of type T and `op`.
template <class T, Op op>
inline constexpr bool is_foldable = requires(Wide<T> wide) {
  Fold<op>::of(wide, wide);
};

template <class T>
constexpr Wide<T> widen(T value) {
  return static_cast<Wide<T>>(value);
}

/// Rounds to nearest, ties to even, where T is narrower.
template <class T>
constexpr T narrow(Wide<T> value) {
  return static_cast<T>(value);
}

/// Integers truncate toward zero. A divisor that exceeds all values of A gives 0.
template <class A>
constexpr A quotient(A value, int divisor) {
  if constexpr (std::is_floating_point_v<A>) {
    return value / static_cast<A>(divisor);
  } else if constexpr (std::is_unsigned_v<A>) {
    return static_cast<A>(Modular<A>{value} / static_cast<Modular<A>>(divisor));
  } else {
    using Signed = std::make_signed_t<Modular<A>>;
    return static_cast<A>(Signed{value} / Signed{divisor});
  }
}

/// What becomes of what was folded.
template <Op op, class A>
constexpr A finish(A folded, int divisor) {
  if constexpr (op == Op::avg) {
    return divisor > 1 ? quotient(folded, divisor) : folded;
  } else {
    return folded;
  }
}

}  // namespace rondo::element
