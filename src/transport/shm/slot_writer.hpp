#pragma once

// Copies into memory that another core has read and will read again.
//
// Plain stores leave the bytes in the cache, where the reader finds them: best where both cores
// share one. Elsewhere each store first has to take the line away from the reader's cache, and
// stores past the cache are several times faster, although the reader fetches from memory then.
// What is the case no topology says, least of all that of a virtual machine, so it is measured as
// messages pass: the time that the copy itself takes tells the two apart.

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace rondo::process {

class SlotWriter {
 public:
  void write(std::byte* target, const std::byte* source, std::size_t bytes);

  /// Smaller copies are plain ones: they fit into the buffers between core and cache.
  static constexpr std::size_t least_measured = 4 << 10;

 private:
  enum Way : std::uint8_t { plain, past_cache };
  static constexpr int ways = 2;

  Way next_way();
  void learn(Way way, std::chrono::nanoseconds time, std::size_t bytes);

  std::array<double, ways> pace_ = {};  // shortest recent time for a KiB, in ns; 0: not known
  std::uint32_t copies_ = 0;
};

}  // namespace rondo::process
