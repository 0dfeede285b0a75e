#pragma once

// Bytes that are told from others, to the device and back.

#include <vector>

#include "harness.hpp"

namespace rondo::test {

inline constexpr std::size_t length = 1 << 16;

inline std::vector<std::byte> pattern(unsigned seed, std::size_t bytes = length) {
  std::vector<std::byte> values(bytes);
  for (std::size_t i = 0; i < bytes; ++i) {
    values[i] = static_cast<std::byte>((i * 31 + seed) % 251);
  }
  return values;
}

inline void put(DeviceRuntime& on, DeviceStream stream, void* to,
                const std::vector<std::byte>& values) {
  must(on.copy(stream, to, values.data(), values.size()));
  must(on.synchronize(stream));
}

inline std::vector<std::byte> get(DeviceRuntime& on, DeviceStream stream, const void* from,
                                  std::size_t bytes = length) {
  std::vector<std::byte> values(bytes);
  must(on.copy(stream, values.data(), from, bytes));
  must(on.synchronize(stream));
  return values;
}

}  // namespace rondo::test
