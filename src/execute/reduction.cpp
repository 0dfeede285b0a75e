#include "execute/reduction.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#include "base/invariant.hpp"

namespace rondo {

namespace {

// Elements folded at a time: small enough that the widest accumulators stay in the first cache.
constexpr std::size_t block = 256;

// What an element is while it is folded: 16-bit floats become float32, all others stay themselves.
template <class T>
using Wide = std::conditional_t<std::is_same_v<T, f16> || std::is_same_v<T, bf16>, float, T>;

// Integers are folded as unsigned numbers of at least the width of `unsigned`: those wrap, where
// signed ones, and the `int` to which a u16 is promoted, must not overflow.
template <class T>
using Wrapping = std::common_type_t<std::make_unsigned_t<T>, unsigned>;

template <class T>
Wide<T> load(const std::byte* from, std::size_t index) {
  T element;
  std::memcpy(&element, from + index * sizeof(T), sizeof(T));
  return static_cast<Wide<T>>(element);
}

template <class T>
void store(std::byte* to, std::size_t index, Wide<T> value) {
  const T element = static_cast<T>(value);
  std::memcpy(to + index * sizeof(T), &element, sizeof(T));
}

struct Sum {
  template <class T>
  static T fold(T a, T b) {
    if constexpr (std::is_integral_v<T>) {
      return static_cast<T>(static_cast<Wrapping<T>>(a) + static_cast<Wrapping<T>>(b));
    } else {
      return a + b;
    }
  }
};

struct Prod {
  template <class T>
  static T fold(T a, T b) {
    if constexpr (std::is_integral_v<T>) {
      return static_cast<T>(static_cast<Wrapping<T>>(a) * static_cast<Wrapping<T>>(b));
    } else {
      return a * b;
    }
  }
};

template <class T>
using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;

// The two floats are what a comparison picks in either order of the operands. They are the same,
// unless these are +0 and -0, or one is a NaN. A NaN has all bits of the exponent, so that the bits
// of both together are a NaN again; of the zeros they are -0, and without the sign +0.
struct Min {
  template <class T>
  static T fold(T a, T b) {
    if constexpr (std::is_integral_v<T>) {
      return a < b ? a : b;
    } else {
      const auto left = std::bit_cast<Bits<T>>(a < b ? a : b);
      const auto right = std::bit_cast<Bits<T>>(b < a ? b : a);
      return std::bit_cast<T>(left | right);
    }
  }
};

struct Max {
  template <class T>
  static T fold(T a, T b) {
    if constexpr (std::is_integral_v<T>) {
      return a > b ? a : b;
    } else {
      constexpr auto sign = std::bit_cast<Bits<T>>(T{-0.0f});
      const auto left = std::bit_cast<Bits<T>>(a > b ? a : b);
      const auto right = std::bit_cast<Bits<T>>(b > a ? b : a);
      return std::bit_cast<T>((left | right) & ~((left ^ right) & sign));
    }
  }
};

// What happens to a folded value before it is stored.
struct Keep {
  template <class T>
  T operator()(T value) const {
    return value;
  }
};

struct Divide {
  int divisor;

  template <class T>
  T operator()(T value) const {
    if constexpr (std::is_integral_v<T>) {
      // Wide enough for both operands; the quotient is no larger than the value.
      using Common = std::conditional_t<(sizeof(T) < sizeof(int)), int, T>;
      return static_cast<T>(static_cast<Common>(value) / static_cast<Common>(divisor));
    } else {
      return value / static_cast<T>(divisor);
    }
  }
};

const std::byte* bytes(const void* pointer) {
  return static_cast<const std::byte*>(pointer);
}

#if defined(__clang__)
#define RONDO_INDEPENDENT_ITERATIONS _Pragma("clang loop vectorize(assume_safety)")
#else
#define RONDO_INDEPENDENT_ITERATIONS _Pragma("GCC ivdep")
#endif

// The hot path. The destination is one of the sources or apart from both, so no iteration reads
// what another one writes.
template <class T, class Op, class Finish>
void fold_two(std::byte* destination, const std::byte* left, const std::byte* right,
              std::size_t count, Finish finish) {
  RONDO_INDEPENDENT_ITERATIONS
  for (std::size_t i = 0; i < count; ++i) {
    store<T>(destination, i, finish(Op::fold(load<T>(left, i), load<T>(right, i))));
  }
}

// All sources of a block are read before any of it is written, which makes aliasing harmless.
template <class T, class Op, class Finish>
void fold_many(std::byte* destination, std::span<const void* const> sources, std::size_t count,
               Finish finish) {
  std::array<Wide<T>, block> folded;
  for (std::size_t begin = 0; begin < count; begin += block) {
    const std::size_t length = std::min(block, count - begin);
    const std::size_t offset = begin * sizeof(T);
    const std::byte* first = bytes(sources[0]) + offset;
    for (std::size_t i = 0; i < length; ++i) folded[i] = load<T>(first, i);
    for (const void* source : sources.subspan(1)) {
      const std::byte* next = bytes(source) + offset;
      for (std::size_t i = 0; i < length; ++i) folded[i] = Op::fold(folded[i], load<T>(next, i));
    }
    for (std::size_t i = 0; i < length; ++i) {
      store<T>(destination + offset, i, finish(folded[i]));
    }
  }
}

template <class T, class Op, class Finish>
void fold(std::byte* destination, std::span<const void* const> sources, std::size_t count,
          Finish finish) {
  if (sources.size() == 2) {
    fold_two<T, Op>(destination, bytes(sources[0]), bytes(sources[1]), count, finish);
  } else {
    fold_many<T, Op>(destination, sources, count, finish);
  }
}

template <class T>
void reduce_elements(Op op, std::byte* destination, std::span<const void* const> sources,
                     std::size_t count, int divisor) {
  switch (op) {
    case Op::avg:
      if (divisor > 1) return fold<T, Sum>(destination, sources, count, Divide{divisor});
      [[fallthrough]];
    case Op::sum:
      return fold<T, Sum>(destination, sources, count, Keep{});
    case Op::prod:
      return fold<T, Prod>(destination, sources, count, Keep{});
    case Op::min:
      return fold<T, Min>(destination, sources, count, Keep{});
    case Op::max:
      return fold<T, Max>(destination, sources, count, Keep{});
  }
}

using Kernel = void (*)(Op, std::byte*, std::span<const void* const>, std::size_t, int);

// In the order of DType.
constexpr std::array<Kernel, dtype_count> kernels = {
    reduce_elements<std::int8_t>,   reduce_elements<std::uint8_t>,  reduce_elements<std::int16_t>,
    reduce_elements<std::uint16_t>, reduce_elements<std::int32_t>,  reduce_elements<std::uint32_t>,
    reduce_elements<std::int64_t>,  reduce_elements<std::uint64_t>, reduce_elements<f16>,
    reduce_elements<bf16>,          reduce_elements<float>,         reduce_elements<double>};

}  // namespace

void reduce(DType dtype, Op op, void* destination, std::span<const void* const> sources,
            std::size_t count, int divisor) {
  RONDO_INVARIANT(sources.size(), >=, 1u);
  if (count == 0) return;
  const bool divides = op == Op::avg && divisor > 1;
  if (sources.size() == 1 && !divides) {
    if (destination != sources[0]) std::memcpy(destination, sources[0], count * size_of(dtype));
    return;
  }
  kernels[static_cast<std::size_t>(dtype)](op, static_cast<std::byte*>(destination), sources, count,
                                           divisor);
}

}  // namespace rondo
