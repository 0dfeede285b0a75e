#pragma once

// Vectors of the instruction set that this file is compiled for, in the terms of GCC and clang.
//
// All in this folder but kernels.hpp is compiled several times, each time with other flags. A
// function that the linker sees in two of these objects would be taken from any one of them, also
// for machines that lack its instructions. So everything is in unnamed namespaces, and functions of
// the standard library are not called, not even inline ones. tests/execute looks at the objects.

#include <cstddef>
#include <cstdint>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

#define RONDO_INLINE [[gnu::always_inline]] inline
#define RONDO_INLINED __attribute__((always_inline))  // of a lambda
// Of what is used in all kernels, too long to be repeated in them.
#define RONDO_APART [[gnu::noinline]]

namespace rondo {

namespace {

#if defined(__AVX512BW__) && defined(__AVX512VL__) && defined(__AVX512DQ__)
constexpr std::size_t width = 64;
#elif defined(__AVX2__)
constexpr std::size_t width = 32;
#else
constexpr std::size_t width = 16;
#endif

template <class T, std::size_t Bytes>
struct VectorOf {
  using Type [[gnu::vector_size(Bytes)]] = T;
};
template <class T, std::size_t Bytes = width>
using Vector = typename VectorOf<T, Bytes>::Type;

/// The bytes of as many elements as are loaded and stored at once.
template <std::size_t Bytes>
using Raw = Vector<std::uint32_t, Bytes>;

/// Vectors that go through the same operations side by side.
template <class V>
struct Two {
  V first;
  V second;
};

template <class R>
RONDO_INLINE R load(const std::byte* from) {
  R raw;
  __builtin_memcpy(&raw, from, sizeof(raw));
  return raw;
}

template <class R>
RONDO_INLINE void store(std::byte* to, R raw) {
  __builtin_memcpy(to, &raw, sizeof(raw));
}

/// Copies `bytes` < Most, a power of two, in pieces of constant size.
template <std::size_t Most>
RONDO_INLINE void copy_part(std::byte* to, const std::byte* from, std::size_t bytes) {
  constexpr std::size_t half = Most / 2;
  if constexpr (half > 0) {
    const std::size_t done = bytes & half;
    if (done != 0) __builtin_memcpy(to, from, half);
    copy_part<half>(to + done, from + done, bytes);
  }
}

template <class R>
RONDO_APART R load_copy(const std::byte* from, std::size_t bytes) {
  alignas(R) std::byte part[sizeof(R)] = {};
  copy_part<sizeof(R)>(part, from, bytes);
  return load<R>(part);
}

template <class R>
RONDO_APART void store_copy(std::byte* to, R raw, std::size_t bytes) {
  alignas(R) std::byte part[sizeof(R)];
  store(part, raw);
  copy_part<sizeof(R)>(to, part, bytes);
}

/// The first `bytes` < sizeof(R), and zeros after them.
template <class R>
RONDO_INLINE R load_part(const std::byte* from, std::size_t bytes) {
  // One element, most often. The general ways are slow: masked accesses that cross a line take
  // longer than all else in a short call, and what was stored in pieces cannot be loaded as a whole
  // before it has reached the cache.
  if (bytes == 4) return R{load<std::uint32_t>(from)};
  if (bytes == 8) return R{load<std::uint32_t>(from), load<std::uint32_t>(from + 4)};
#if defined(__AVX512BW__) && defined(__AVX512VL__)
  if constexpr (sizeof(R) == 64) {
    return reinterpret_cast<R>(_mm512_maskz_loadu_epi8((std::uint64_t{1} << bytes) - 1, from));
  } else if constexpr (sizeof(R) == 32) {
    const auto mask = static_cast<std::uint32_t>((std::uint64_t{1} << bytes) - 1);
    return reinterpret_cast<R>(_mm256_maskz_loadu_epi8(mask, from));
  } else if constexpr (sizeof(R) == 16) {
    const auto mask = static_cast<std::uint16_t>((1u << bytes) - 1);
    return reinterpret_cast<R>(_mm_maskz_loadu_epi8(mask, from));
  }
#endif
  return load_copy<R>(from, bytes);
}

template <class R>
RONDO_INLINE void store_part(std::byte* to, R raw, std::size_t bytes) {
  if (bytes == 4) return store(to, std::uint32_t{raw[0]});
  if (bytes == 8) return store(to, Raw<8>{raw[0], raw[1]});
#if defined(__AVX512BW__) && defined(__AVX512VL__)
  if constexpr (sizeof(R) == 64) {
    const std::uint64_t mask = (std::uint64_t{1} << bytes) - 1;
    return _mm512_mask_storeu_epi8(to, mask, reinterpret_cast<__m512i>(raw));
  } else if constexpr (sizeof(R) == 32) {
    const auto mask = static_cast<std::uint32_t>((std::uint64_t{1} << bytes) - 1);
    return _mm256_mask_storeu_epi8(to, mask, reinterpret_cast<__m256i>(raw));
  } else if constexpr (sizeof(R) == 16) {
    const auto mask = static_cast<std::uint16_t>((1u << bytes) - 1);
    return _mm_mask_storeu_epi8(to, mask, reinterpret_cast<__m128i>(raw));
  }
#endif
  store_copy(to, raw, bytes);
}

/// Past the caches, where there is an instruction for it; `to` is aligned to sizeof(R). Must be
/// followed by finish_streaming() before another thread may be told.
template <class R>
RONDO_INLINE void stream(std::byte* to, R raw) {
#if defined(__AVX512F__)
  if constexpr (sizeof(R) == 64) {
    return _mm512_stream_si512(reinterpret_cast<__m512i*>(to), reinterpret_cast<__m512i>(raw));
  }
#endif
#if defined(__AVX__)
  if constexpr (sizeof(R) == 32) {
    return _mm256_stream_si256(reinterpret_cast<__m256i*>(to), reinterpret_cast<__m256i>(raw));
  }
#endif
#if defined(__SSE2__)
  if constexpr (sizeof(R) == 16) {
    return _mm_stream_si128(reinterpret_cast<__m128i*>(to), reinterpret_cast<__m128i>(raw));
  }
#endif
  store(to, raw);
}

/// Non-temporal stores are not ordered with later ones of any other kind without this.
RONDO_INLINE void finish_streaming() {
#if defined(__SSE2__)
  _mm_sfence();
#endif
}

}  // namespace

}  // namespace rondo
