#pragma once

// How elements in memory become lanes that can be folded, and back.

#include <type_traits>

#include "execute/kernels/vectors.hpp"
#include "rondo/types.hpp"

#if defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace rondo {

namespace {

/// Whether what was folded has to be rounded to fit its type: `exact` results are values of it.
enum class Fit { rounded, exact };

/// Elements of a type that is folded as it is. Raw bytes become Lanes, of which each is an element.
template <class T>
struct Elements {
  using Bytes = Raw<width>;
  using Lanes = Vector<T>;

  RONDO_INLINE static Lanes widen(Bytes raw) { return reinterpret_cast<Lanes>(raw); }
  template <Fit>
  RONDO_INLINE static Bytes narrow(Lanes lanes) {
    return reinterpret_cast<Bytes>(lanes);
  }
};

using Floats = Vector<float>;
using Words = Vector<std::uint32_t>;
using Halves = Vector<std::uint16_t>;

/// The two bfloat16 of each 32-bit word, each in the upper half of a word of its own, are float32
/// already, and no element has to change its place.
template <>
struct Elements<bf16> {
  using Bytes = Raw<width>;
  using Lanes = Two<Floats>;

  RONDO_INLINE static Lanes widen(Bytes raw) {
    return {reinterpret_cast<Floats>(raw << 16), reinterpret_cast<Floats>(raw & upper)};
  }

  template <Fit fit>
  RONDO_INLINE static Bytes narrow(Lanes lanes) {
    const Words low = reinterpret_cast<Words>(lanes.first);
    const Words high = reinterpret_cast<Words>(lanes.second);
    const Halves kept = upper_halves(low, high);
    if constexpr (fit == Fit::exact) {
      // Only here a NaN can be one that signals: arithmetic has made all others quiet.
      const Halves magnitude = kept & std::uint16_t{0x7fff};
      return reinterpret_cast<Bytes>(magnitude > 0x7f80 ? kept | std::uint16_t{0x40} : kept);
    } else {
      // To nearest, ties to even: up where what is cut off is more than a half, or a half and the
      // rest odd, which the lowest bit stands for. A NaN that comes from bfloat16 has nothing
      // there, so it stays what it is.
      const Halves cut = lower_halves(low, high) | (kept & std::uint16_t{1});
      return reinterpret_cast<Bytes>(cut > 0x8000 ? kept + std::uint16_t{1} : kept);
    }
  }

 private:
  static constexpr std::uint32_t upper = 0xffff0000u;

  // The halves of each word of `low`, and of the same one of `high` above it.
#if defined(__AVX512BW__)
  RONDO_INLINE static Halves upper_halves(Words low, Words high) {
    return swap_halves(high, 0x3333333333333333, low);
  }
  RONDO_INLINE static Halves lower_halves(Words low, Words high) {
    return swap_halves(low, 0xcccccccccccccccc, high);
  }

  // The bytes in the mask come from words whose halves are swapped, in one instruction.
  RONDO_INLINE static Halves swap_halves(Words rest, std::uint64_t mask, Words swapped) {
    const __m512i order = _mm512_set4_epi32(0x0d0c0f0e, 0x09080b0a, 0x05040706, 0x01000302);
    return reinterpret_cast<Halves>(_mm512_mask_shuffle_epi8(
        reinterpret_cast<__m512i>(rest), mask, reinterpret_cast<__m512i>(swapped), order));
  }
#else
  RONDO_INLINE static Halves upper_halves(Words low, Words high) {
    return reinterpret_cast<Halves>((low >> 16) | (high & upper));
  }
  RONDO_INLINE static Halves lower_halves(Words low, Words high) {
    return reinterpret_cast<Halves>((low & ~upper) | (high << 16));
  }
#endif
};

/// The four 8-bit floats of each 32-bit word, as float8 has it, in vectors: no element changes its
/// place. All numbers that are compared fit signed ones.
template <int mantissa_bits, bool has_infinity>
struct Elements<float8<mantissa_bits, has_infinity>> {
  using Bytes = Raw<width>;
  using Lanes = Two<Two<Floats>>;

  RONDO_INLINE static Lanes widen(Bytes raw) {
    return {{to_float(raw & 0xff), to_float((raw >> 8) & 0xff)},
            {to_float((raw >> 16) & 0xff), to_float(raw >> 24)}};
  }

  template <Fit>
  RONDO_INLINE static Bytes narrow(Lanes lanes) {
    return from_float(lanes.first.first) | (from_float(lanes.first.second) << 8) |
           (from_float(lanes.second.first) << 16) | (from_float(lanes.second.second) << 24);
  }

 private:
  using Format = float8<mantissa_bits, has_infinity>;
  using Numbers = Vector<std::int32_t>;

  RONDO_INLINE static Floats to_float(Words byte) {
    const auto magnitude = reinterpret_cast<Numbers>(byte & 0x7f);
    const auto unit = __builtin_bit_cast(float, Format::smallest_subnormal);
    const auto subnormal =
        reinterpret_cast<Numbers>(__builtin_convertvector(magnitude, Floats) * unit);
    const Numbers normal = (magnitude << Format::shift) + Format::rebias;
    const Numbers finite = magnitude < (1 << mantissa_bits) ? subnormal : normal;
    constexpr std::int32_t largest = has_infinity ? Format::limit - 1 : Format::limit;
    const Numbers quiet = (magnitude > Format::limit) & 0x400000;
    const Numbers number = magnitude > largest ? quiet | 0x7f800000 : finite;
    return reinterpret_cast<Floats>(reinterpret_cast<Words>(number) | ((byte & 0x80) << 24));
  }

  RONDO_INLINE static Words from_float(Floats value) {
    const auto word = reinterpret_cast<Words>(value);
    const auto magnitude = reinterpret_cast<Numbers>(word & 0x7fffffff);
    const Numbers odd = (magnitude >> Format::shift) & 1;
    constexpr std::int32_t half = 1 << (Format::shift - 1);
    const Numbers normal = (magnitude - Format::rebias + (half - 1) + odd) >> Format::shift;
    const Numbers small = magnitude < Format::smallest_normal ? magnitude : Numbers{};
    const auto rounder = __builtin_bit_cast(float, Format::rounder);
    const auto subnormal =
        reinterpret_cast<Numbers>(reinterpret_cast<Floats>(small) + rounder) - Format::rounder;
    const Numbers finite = magnitude < Format::smallest_normal ? subnormal : normal;
    const Numbers limited = finite < Format::limit ? finite : Numbers{} + Format::limit;
    const Numbers rounded = magnitude > 0x7f800000 ? Numbers{} + Format::nan : limited;
    return reinterpret_cast<Words>(rounded) | ((word >> 24) & 0x80);
  }
};

/// With an instruction for the conversion; all round to nearest, ties to even. With AVX-512, too,
/// of 8 elements: from memory, it takes less than half as long as one of 16 on Zen 4.
#if defined(__F16C__) || defined(__aarch64__)
template <>
struct Elements<f16> {
  static constexpr std::size_t lane_bytes = width < 32 ? width : 32;
  using Bytes = Raw<lane_bytes / 2>;
  using Lanes = Vector<float, lane_bytes>;

  RONDO_INLINE static Lanes widen(Bytes raw) {
#if defined(__aarch64__)
    return reinterpret_cast<Lanes>(vcvt_f32_f16(reinterpret_cast<float16x4_t>(raw)));
#else
    return reinterpret_cast<Lanes>(_mm256_cvtph_ps(reinterpret_cast<__m128i>(raw)));
#endif
  }

  template <Fit fit>
  RONDO_INLINE static Bytes narrow(Lanes lanes) {
#if defined(__aarch64__)
    const auto raw = vcvt_f16_f32(reinterpret_cast<float32x4_t>(lanes));
#else
    __m128i raw = _mm256_cvtps_ph(reinterpret_cast<__m256>(lanes), _MM_FROUND_TO_NEAREST_INT);
    // Through a register: there are processors where a conversion to memory takes twice as long as
    // one and a store.
    asm("" : "+x"(raw));
#endif
    using Short = Vector<std::uint16_t, lane_bytes / 2>;
    const auto halves = reinterpret_cast<Short>(raw);
    if constexpr (fit == Fit::rounded) return reinterpret_cast<Bytes>(halves);
    // The NaN that f16(float) makes; the instructions keep the payload.
    const Short magnitude = halves & std::uint16_t{0x7fff};
    const Short nan = (halves & std::uint16_t{0x8000}) | std::uint16_t{0x7e00};
    return reinterpret_cast<Bytes>(magnitude > 0x7c00 ? nan : halves);
  }
};
#else
template <>
struct Elements<f16> {
  using Bytes = Raw<width>;
  using Lanes = Two<Floats>;

  // f16::to_float() and f16::from_float() in vectors; all numbers that are compared fit signed
  // ones.
  RONDO_INLINE static Lanes widen(Bytes raw) {
    return {to_float(raw & 0xffff), to_float(raw >> 16)};
  }

  template <Fit>
  RONDO_INLINE static Bytes narrow(Lanes lanes) {
    return from_float(lanes.first) | (from_float(lanes.second) << 16);
  }

 private:
  using Numbers = Vector<std::int32_t>;

  RONDO_INLINE static Floats to_float(Words half) {
    const auto magnitude = reinterpret_cast<Numbers>(half & 0x7fff);
    const Numbers shifted = magnitude << 13;
    const auto subnormal =
        reinterpret_cast<Numbers>(__builtin_convertvector(magnitude, Floats) * 0x1p-24f);
    const Numbers finite = magnitude < 0x400 ? subnormal : shifted + 0x38000000;
    const Numbers number = magnitude < 0x7c00 ? finite : shifted | 0x7f800000;
    return reinterpret_cast<Floats>(reinterpret_cast<Words>(number) | ((half & 0x8000) << 16));
  }

  RONDO_INLINE static Words from_float(Floats value) {
    const auto word = reinterpret_cast<Words>(value);
    const auto magnitude = reinterpret_cast<Numbers>(word & 0x7fffffff);
    const Numbers odd = (magnitude >> 13) & 1;
    const Numbers normal = (magnitude - 0x38000000 + 0xfff + odd) >> 13;
    const Numbers small = magnitude < 0x38800000 ? magnitude : Numbers{};
    const auto subnormal =
        reinterpret_cast<Numbers>(reinterpret_cast<Floats>(small) + 0.5f) - 0x3f000000;
    const Numbers finite = magnitude < 0x38800000 ? subnormal : normal;
    const Numbers nan_or_infinity = 0x7c00 | ((magnitude > 0x7f800000) & 0x200);
    const Numbers half = magnitude < 0x47800000 ? finite : nan_or_infinity;
    return reinterpret_cast<Words>(half) | ((word >> 16) & 0x8000);
  }
};
#endif

}  // namespace

}  // namespace rondo
