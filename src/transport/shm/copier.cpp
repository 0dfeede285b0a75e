#include "transport/shm/copier.hpp"

#include <algorithm>
#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace rondo::process {

namespace {

constexpr std::uint32_t first_trials = 8;        // of both ways in turn
constexpr std::uint32_t copies_per_trial = 128;  // of the way that was slower
// Where stores past the cache are hardly faster, the reader is better off without them.
constexpr double worth_it = 0.7;
// A pace that is not met again is forgotten slowly: the cores may have changed.
constexpr double forgetting = 1.02;

#if defined(__SSE2__)
constexpr bool can_pass_cache = true;

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
  _mm_sfence();  // or the flag that follows could be seen before the bytes
}
#else
constexpr bool can_pass_cache = false;

void copy_past_cache(std::byte* target, const std::byte* source, std::size_t bytes) {
  std::memcpy(target, source, bytes);
}
#endif

}  // namespace

void Copier::copy(std::byte* target, const std::byte* source, std::size_t bytes,
                  std::size_t message_bytes) {
  if (!can_pass_cache || bytes < least_measured) {
    if (bytes > 0) std::memcpy(target, source, bytes);
    return;
  }
  Experience& experience = experience_[class_of(message_bytes)];
  const Way way = experience.next_way();
  const auto start = std::chrono::steady_clock::now();
  if (way == past_cache) {
    copy_past_cache(target, source, bytes);
  } else {
    std::memcpy(target, source, bytes);
  }
  experience.learn(way, std::chrono::steady_clock::now() - start, bytes);
}

std::size_t Copier::class_of(std::size_t message_bytes) {
  std::size_t size_class = 0;
  for (std::size_t most = 8 * least_measured;
       size_class + 1 < size_classes && message_bytes >= most; most *= 8) {
    ++size_class;
  }
  return size_class;
}

bool Copier::is_past_better(std::size_t message_bytes) const {
  return can_pass_cache && message_bytes >= least_measured &&
         experience_[class_of(message_bytes)].is_past_better();
}

bool Copier::Experience::is_past_better() const {
  return pace[past_cache] < worth_it * pace[plain];
}

Copier::Way Copier::Experience::next_way() {
  ++copies;
  if (copies <= first_trials) return copies % ways == 0 ? past_cache : plain;
  const bool is_trial = copies % copies_per_trial == 0;
  return is_past_better() != is_trial ? past_cache : plain;
}

void Copier::Experience::learn(Way way, std::chrono::nanoseconds time, std::size_t bytes) {
  const double found = static_cast<double>(time.count()) * 1024 / static_cast<double>(bytes);
  double& known = pace[way];
  const double expected = known * forgetting;
  known = known == 0 || found < expected ? found : expected;
}

}  // namespace rondo::process
