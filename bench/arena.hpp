#pragma once

// The memory of the calls: a send and a receive area of bounded size through which consecutive
// calls rotate, so that no call finds its buffers in the cache because the previous one used them.

#include <array>
#include <cstddef>
#include <memory>

#include "bench/sizes.hpp"

namespace rondo::bench {

/// Where one call finds its buffers.
struct Place {
  std::byte* send = nullptr;
  std::byte* receive = nullptr;
};

class Arena {
 public:
  static constexpr std::size_t guard_bytes = 64;

  /// Room for one call of `largest` bytes a side, and for `calls` of them up to 64 MiB.
  /// `is_shared`: in memory that ranks of this host can read in place.
  Arena(std::size_t largest, std::size_t calls, bool is_shared = false);

  /// The buffers of the i-th call. In place, send and receive are the same memory, or one is a
  /// block of the other; sendrecv is never in place.
  Place at(const Case& c, int rank, std::size_t i) const;

  /// Zeroes what the first `calls` calls will use, so that it is mapped.
  void clear(const Case& c, std::size_t calls);

  /// The guard bytes around the buffers of call 0.
  void set_guards(const Case& c);
  std::size_t broken_guards(const Case& c) const;

 private:
  struct Free {
    bool is_shared = false;
    void operator()(std::byte* memory) const;
  };
  using Area = std::unique_ptr<std::byte[], Free>;

  static Area allocate(std::size_t bytes, bool is_shared);
  static std::size_t stride(const Case& c);
  std::array<std::byte*, 4> guards(const Case& c) const;

  std::size_t capacity_;  // of one area, without guards
  Area send_;
  Area receive_;
};

}  // namespace rondo::bench
