#include "base/past_cache.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace rondo {

#if defined(__SSE2__)

void copy_past_cache(std::byte* target, const std::byte* source, std::size_t bytes) {
  constexpr std::size_t step = 64;
  // Whole lines are written, from the first one that begins in the target.
  const std::size_t misfit = reinterpret_cast<std::uintptr_t>(target) % step;
  std::size_t done = misfit == 0 ? 0 : std::min(step - misfit, bytes);
  if (done > 0) std::memcpy(target, source, done);
  for (; done + step <= bytes; done += step) {
    const auto* const from = reinterpret_cast<const __m128i*>(source + done);
    auto* const to = reinterpret_cast<__m128i*>(target + done);
    const __m128i a = _mm_loadu_si128(from);
    const __m128i b = _mm_loadu_si128(from + 1);
    const __m128i c = _mm_loadu_si128(from + 2);
    const __m128i d = _mm_loadu_si128(from + 3);
    _mm_stream_si128(to, a);
    _mm_stream_si128(to + 1, b);
    _mm_stream_si128(to + 2, c);
    _mm_stream_si128(to + 3, d);
  }
  if (done < bytes) std::memcpy(target + done, source + done, bytes - done);
  _mm_sfence();  // or a flag that follows could be seen before the bytes
}

#else

void copy_past_cache(std::byte* target, const std::byte* source, std::size_t bytes) {
  if (bytes > 0) std::memcpy(target, source, bytes);
}

#endif

}  // namespace rondo
