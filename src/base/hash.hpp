#pragma once

// Numbers made of other numbers: for telling things apart, not for keeping secrets.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace rondo {

inline constexpr std::uint64_t fnv1a_start = 0xcbf29ce484222325u;

/// FNV-1a over some bytes, from where `state` is.
constexpr std::uint64_t fnv1a(std::span<const std::byte> bytes, std::uint64_t state = fnv1a_start) {
  for (const std::byte byte : bytes) {
    state = (state ^ std::to_integer<std::uint64_t>(byte)) * 0x100000001b3u;
  }
  return state;
}

/// One step of splitmix64: every bit of the result depends on every bit of `x`.
constexpr std::uint64_t splitmix(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

using Bits128 = std::array<std::byte, 16>;

/// Takes the same time wherever the first difference is.
inline bool same_bits(const Bits128& left, const Bits128& right) {
  volatile unsigned difference = 0;
  for (std::size_t i = 0; i < left.size(); ++i) {
    difference = difference | std::to_integer<unsigned>(left[i] ^ right[i]);
  }
  return difference == 0;
}

}  // namespace rondo
