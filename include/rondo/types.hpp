#pragma once

// Element types, reduction operations and the buffer concepts of the C++ API.

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <ranges>
#include <string_view>
#include <type_traits>

#include "rondo/export.hpp"

namespace rondo {

/// Element type of a call. Sizes in bytes: see size_of().
enum class DType : std::uint8_t {
  i8,
  u8,
  i16,
  u16,
  i32,
  u32,
  i64,
  u64,
  f16,
  bf16,
  f32,
  f64,
  f8e4m3,
  f8e5m2,
};
inline constexpr int dtype_count = 14;

/// Reduction of one element over all ranks.
/// Integers wrap modulo 2^bits. `avg` is the sum divided once by the number of ranks; for integers
/// the quotient truncates toward zero. 8-bit and 16-bit floats are added in float32. A NaN operand
/// of `min` or `max` gives NaN, and -0 is less than +0 there. All ranks get the same bits; only
/// which NaN a NaN is (its sign and payload) may differ between them. Bitwise (`band`, `bor`,
/// `bxor`) and logical operations (`land`, `lor`, `lxor`) are for integers only. For the logical
/// ones all but 0 is true; they give 0 or 1, but of a single rank what that rank gave.
enum class Op : std::uint8_t { sum, prod, min, max, avg, band, bor, bxor, land, lor, lxor };
inline constexpr int op_count = 11;

enum class Collective : std::uint8_t {
  allreduce,
  broadcast,
  allgather,
  reduce_scatter,
  reduce,
  barrier,
  gather,
  scatter,
  alltoall,
  scan,    ///< rank r gets the reduction over ranks 0…r
  exscan,  ///< rank r gets the reduction over ranks 0…r-1; rank 0 gets nothing
};
inline constexpr int collective_count = 11;

/// Whether one rank, the root, gives or gets everything.
constexpr bool is_rooted(Collective collective) {
  return collective == Collective::broadcast || collective == Collective::reduce ||
         collective == Collective::gather || collective == Collective::scatter;
}

/// Whether a buffer holds a block for each rank.
constexpr bool has_blocks(Collective collective) {
  return collective == Collective::allgather || collective == Collective::reduce_scatter ||
         collective == Collective::gather || collective == Collective::scatter ||
         collective == Collective::alltoall;
}

/// Whether `in` is the own block only, and `out` the blocks of all ranks.
constexpr bool gives_own_block(Collective collective) {
  return collective == Collective::allgather || collective == Collective::gather;
}

/// Whether `out` is the own block only, and `in` the blocks of all ranks.
constexpr bool gets_own_block(Collective collective) {
  return collective == Collective::reduce_scatter || collective == Collective::scatter;
}

/// Whether every rank gets a reduction over all ranks, or over a part of them.
constexpr bool reduces_all(Collective collective) {
  return collective == Collective::allreduce || collective == Collective::reduce_scatter ||
         collective == Collective::reduce || collective == Collective::barrier;
}
constexpr bool reduces_prefix(Collective collective) {
  return collective == Collective::scan || collective == Collective::exscan;
}

constexpr std::size_t size_of(DType dtype) {
  switch (dtype) {
    case DType::i8:
    case DType::u8:
    case DType::f8e4m3:
    case DType::f8e5m2:
      return 1;
    case DType::i16:
    case DType::u16:
    case DType::f16:
    case DType::bf16:
      return 2;
    case DType::i32:
    case DType::u32:
    case DType::f32:
      return 4;
    case DType::i64:
    case DType::u64:
    case DType::f64:
      return 8;
  }
  return 0;
}

constexpr bool is_integer(DType dtype) {
  return dtype <= DType::u64;
}

/// Whether there is such a reduction. Calls with others are refused.
constexpr bool is_defined(Op op, DType dtype) {
  return op <= Op::avg || is_integer(dtype);
}

/// The names used in texts, on the command line and in the environment: "f32", "sum", "allreduce".
RONDO_API std::string_view name(DType dtype);
RONDO_API std::string_view name(Op op);
RONDO_API std::string_view name(Collective collective);
RONDO_API std::optional<DType> parse_dtype(std::string_view text);
RONDO_API std::optional<Op> parse_op(std::string_view text);
RONDO_API std::optional<Collective> parse_collective(std::string_view text);

/// IEEE binary16 as storage; arithmetic happens in float32.
struct f16 {
  std::uint16_t bits = 0;
  f16() = default;
  explicit constexpr f16(float value) : bits(from_float(value)) {}
  explicit constexpr operator float() const { return to_float(bits); }
  friend constexpr bool operator==(f16, f16) = default;

  /// Round to nearest, ties to even; overflow becomes infinity; NaN stays NaN.
  static constexpr std::uint16_t from_float(float value) {
    const std::uint32_t word = std::bit_cast<std::uint32_t>(value);
    const std::uint32_t sign = (word >> 16) & 0x8000u;
    const std::uint32_t magnitude = word & 0x7fffffffu;
    const std::uint32_t odd = (magnitude >> 13) & 1u;
    const std::uint32_t normal = (magnitude - 0x38000000u + 0xfffu + odd) >> 13;
    // Subnormal or zero: adding 0.5 lines the mantissa up, and the addition itself rounds.
    const std::uint32_t small = select(magnitude < smallest_normal, magnitude, 0u);
    const float shifted = std::bit_cast<float>(small) + 0.5f;
    const std::uint32_t subnormal = std::bit_cast<std::uint32_t>(shifted) - 0x3f000000u;
    const std::uint32_t finite = select(magnitude < smallest_normal, subnormal, normal);
    const std::uint32_t special = select(magnitude > 0x7f800000u, 0x7e00u, 0x7c00u);
    return static_cast<std::uint16_t>(sign | select(magnitude < 0x47800000u, finite, special));
  }
  static constexpr float to_float(std::uint16_t half) {
    const std::uint32_t sign = static_cast<std::uint32_t>(half & 0x8000u) << 16;
    const std::uint32_t magnitude = half & 0x7fffu;
    const std::uint32_t normal = (magnitude << 13) + 0x38000000u;
    const std::uint32_t special = 0x7f800000u | (magnitude << 13);
    const float scaled = static_cast<float>(static_cast<std::int32_t>(magnitude)) * 0x1p-24f;
    const std::uint32_t subnormal = std::bit_cast<std::uint32_t>(scaled);
    const std::uint32_t finite = select(magnitude < 0x400u, subnormal, normal);
    return std::bit_cast<float>(sign | select(magnitude < 0x7c00u, finite, special));
  }

 private:
  static constexpr std::uint32_t smallest_normal = 0x38800000u;  // 2^-14 as a float32

  // A branch here would keep compilers from turning loops of conversions into vector code.
  static constexpr std::uint32_t select(bool condition, std::uint32_t yes, std::uint32_t no) {
    return no ^ ((yes ^ no) & (0u - static_cast<std::uint32_t>(condition)));
  }
};

/// bfloat16 (the upper half of a float32) as storage; arithmetic happens in float32.
struct bf16 {
  std::uint16_t bits = 0;
  bf16() = default;
  explicit constexpr bf16(float value) : bits(from_float(value)) {}
  explicit constexpr operator float() const { return to_float(bits); }
  friend constexpr bool operator==(bf16, bf16) = default;

  /// Round to nearest, ties to even; NaN stays NaN.
  static constexpr std::uint16_t from_float(float value) {
    const std::uint32_t word = std::bit_cast<std::uint32_t>(value);
    if ((word & 0x7fffffffu) > 0x7f800000u) return static_cast<std::uint16_t>((word >> 16) | 0x40u);
    return static_cast<std::uint16_t>((word + 0x7fffu + ((word >> 16) & 1u)) >> 16);
  }
  static constexpr float to_float(std::uint16_t bits) {
    return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
  }
};
static_assert(sizeof(f16) == 2 && sizeof(bf16) == 2);

/// 8-bit floats as storage; arithmetic happens in float32. The formats are those of the OCP 8-bit
/// Floating Point Specification (OFP8, revision 1.0), which allows both ways to treat what is too
/// large: it becomes infinity, or the largest number where there is none. So does PyTorch (2.13);
/// the types of CUDA, and so NCCL, have the largest number for both.
template <int mantissa_bits, bool has_infinity>
struct float8 {
  std::uint8_t bits = 0;
  float8() = default;
  explicit constexpr float8(float value) : bits(from_float(value)) {}
  explicit constexpr operator float() const { return to_float(bits); }
  friend constexpr bool operator==(float8, float8) = default;

  // Of the format, and as bits of a float32.
  static constexpr int shift = 23 - mantissa_bits;
  static constexpr int bias = (1 << (6 - mantissa_bits)) - 1;
  static constexpr int rebias = (127 - bias) << 23;
  static constexpr int smallest_normal = rebias + (1 << 23);
  static constexpr int smallest_subnormal = (128 - bias - mantissa_bits) << 23;
  /// A float32 whose last place is the smallest subnormal.
  static constexpr int rounder = smallest_subnormal + (23 << 23);
  static constexpr int nan = 0x7f;
  /// What is too large becomes this; the last finite number, or infinity.
  static constexpr int limit = has_infinity ? 0x80 - (1 << mantissa_bits) : nan - 1;

  /// Round to nearest, ties to even; NaN stays NaN.
  static constexpr std::uint8_t from_float(float value) {
    const std::uint32_t word = std::bit_cast<std::uint32_t>(value);
    const auto magnitude = static_cast<int>(word & 0x7fffffffu);
    int rounded = 0;
    if (magnitude < smallest_normal) {
      const float sum = std::bit_cast<float>(magnitude) + std::bit_cast<float>(rounder);
      rounded = std::bit_cast<int>(sum) - rounder;
    } else {
      const int odd = (magnitude >> shift) & 1;
      rounded = (magnitude - rebias + (1 << (shift - 1)) - 1 + odd) >> shift;
    }
    if (rounded > limit) rounded = limit;
    if (magnitude > 0x7f800000) rounded = nan;
    return static_cast<std::uint8_t>(((word >> 24) & 0x80u) | static_cast<unsigned>(rounded));
  }
  static constexpr float to_float(std::uint8_t byte) {
    const std::uint32_t sign = (byte & 0x80u) << 24;
    const int magnitude = byte & 0x7f;
    int number = (magnitude << shift) + rebias;
    if (magnitude < 1 << mantissa_bits) {
      const float unit = std::bit_cast<float>(smallest_subnormal);
      number = std::bit_cast<int>(static_cast<float>(magnitude) * unit);
    }
    if (has_infinity && magnitude == limit) number = 0x7f800000;
    if (magnitude > limit) number = 0x7fc00000;
    return std::bit_cast<float>(sign | static_cast<std::uint32_t>(number));
  }
};

/// 4 bits of exponent, 3 of mantissa; no infinity, and one NaN of each sign ("e4m3fn").
using f8e4m3 = float8<3, false>;
/// 5 bits of exponent, 2 of mantissa; otherwise as in IEEE 754.
using f8e5m2 = float8<2, true>;
static_assert(sizeof(f8e4m3) == 1 && sizeof(f8e5m2) == 1);

/// Maps a C++ type to its DType. Specialise it for your own storage types (`__half`, `c10::Half`).
template <class T>
struct dtype_of {};
template <class T>
requires(std::integral<T> && !std::same_as<T, bool> && !std::same_as<T, wchar_t> &&
         !std::same_as<T, char8_t> && !std::same_as<T, char16_t> &&
         !std::same_as<T, char32_t>) struct dtype_of<T> {
  static constexpr DType value = std::signed_integral<T> ? (sizeof(T) == 1   ? DType::i8
                                                            : sizeof(T) == 2 ? DType::i16
                                                            : sizeof(T) == 4 ? DType::i32
                                                                             : DType::i64)
                                                         : (sizeof(T) == 1   ? DType::u8
                                                            : sizeof(T) == 2 ? DType::u16
                                                            : sizeof(T) == 4 ? DType::u32
                                                                             : DType::u64);
};
template <>
struct dtype_of<std::byte> {
  static constexpr DType value = DType::u8;
};
template <>
struct dtype_of<f16> {
  static constexpr DType value = DType::f16;
};
template <>
struct dtype_of<bf16> {
  static constexpr DType value = DType::bf16;
};
template <>
struct dtype_of<f8e4m3> {
  static constexpr DType value = DType::f8e4m3;
};
template <>
struct dtype_of<f8e5m2> {
  static constexpr DType value = DType::f8e5m2;
};
template <>
struct dtype_of<float> {
  static constexpr DType value = DType::f32;
};
template <>
struct dtype_of<double> {
  static constexpr DType value = DType::f64;
};

/// A type whose arrays can be sent: trivially copyable, with a DType of the same size.
template <class T>
concept Element = std::is_trivially_copyable_v<T> && requires {
  { dtype_of<std::remove_cv_t<T>>::value } -> std::convertible_to<DType>;
  requires size_of(dtype_of<std::remove_cv_t<T>>::value)
  == sizeof(T);
};

/// What can be read by a call: vector, array, span, C array … of elements.
template <class R>
concept SendBuffer = std::ranges::contiguous_range<R> && std::ranges::sized_range<R> &&
    Element<std::ranges::range_value_t<R>>;

/// What can be read after the call has returned: no temporary that owns its elements.
template <class R>
concept LastingSendBuffer = SendBuffer<R> && std::ranges::borrowed_range<R>;

/// What can be written by a call. `borrowed_range` refuses temporaries: the result in
/// `allreduce(std::vector<float>(8))` would be gone before anybody could read it.
template <class R>
concept RecvBuffer = SendBuffer<R> && std::ranges::borrowed_range<R> &&
    !std::is_const_v<std::remove_reference_t<std::ranges::range_reference_t<R>>>;

template <class R>
inline constexpr DType dtype_of_range =
    dtype_of<std::remove_cv_t<std::ranges::range_value_t<R>>>::value;

}  // namespace rondo
