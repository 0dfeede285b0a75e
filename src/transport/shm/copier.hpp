#pragma once

// Copies into memory that another core may have read, or that is too large for the cache.
//
// Plain stores leave the bytes in the cache, where the next reader finds them: best where the cores
// share one, and there is room. Elsewhere each store first has to take the line away from another
// cache, or to fetch it from memory, and stores past the cache are several times faster, although
// the next reader fetches from memory then. What is the case no topology says, least of all that of
// a virtual machine, so it is measured as messages pass: the time that the copy itself takes tells
// the two apart.

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace rondo::process {

class Copier {
 public:
  /// `message_bytes`: of all that is copied in several pieces.
  void copy(std::byte* target, const std::byte* source, std::size_t bytes,
            std::size_t message_bytes);

  /// What is known of such messages so far.
  bool is_past_better(std::size_t message_bytes) const;

  /// Smaller copies are plain ones: they fit into the buffers between core and cache.
  static constexpr std::size_t least_measured = 4 << 10;

 private:
  enum Way : std::uint8_t { plain, past_cache };
  static constexpr int ways = 2;

  // Of messages of about the same size.
  struct Experience {
    std::array<double, ways> pace = {};  // shortest recent time for a KiB, in ns; 0: not known
    std::uint32_t copies = 0;

    bool is_past_better() const;
    Way next_way();
    void learn(Way way, std::chrono::nanoseconds time, std::size_t bytes);
  };
  static constexpr std::size_t size_classes = 5;  // a factor of 8 each

  static std::size_t class_of(std::size_t message_bytes);

  std::array<Experience, size_classes> experience_;
};

}  // namespace rondo::process
