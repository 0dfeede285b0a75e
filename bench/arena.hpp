#pragma once

// The memory of the calls: a send and a receive area of bounded size through which consecutive
// calls rotate, so that no call finds its buffers in the cache because the previous one used them.

#include <array>
#include <cstddef>

#include "bench/memory.hpp"
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
  Arena(std::size_t largest, std::size_t calls, BufferMemory& memory = host_memory());

  /// The buffers of the i-th call, which the host may not touch where they are not in its memory.
  /// In place, send and receive are the same memory, or one is a block of the other; sendrecv is
  /// never in place.
  Place at(const Case& c, int rank, std::size_t i) const;
  /// Where the host writes and reads those of call 0; and copies them to and from there.
  Place on_host(const Case& c, int rank) const;
  void give(const Case& c);
  void take(const Case& c);

  /// Zeroes what the first `calls` calls will use, so that it is mapped.
  void clear(const Case& c, std::size_t calls);

  /// The guard bytes around the buffers of call 0, on the host.
  void set_guards(const Case& c);
  std::size_t broken_guards(const Case& c) const;

 private:
  /// One side of all calls, and the same in memory of the host.
  class Area {
   public:
    Area(BufferMemory& memory, std::size_t bytes);
    Area(const Area&) = delete;
    Area& operator=(const Area&) = delete;
    ~Area();

    std::byte* calls() const { return calls_; }
    std::byte* host() const { return host_; }
    void give(std::size_t bytes);
    void take(std::size_t bytes);

   private:
    BufferMemory& memory_;
    std::byte* const calls_;
    std::byte* host_;
  };

  static std::size_t stride(const Case& c);
  static Place place(const Case& c, int rank, std::byte* send, std::byte* receive);
  std::array<std::byte*, 4> guards(const Case& c) const;

  std::size_t capacity_;  // of one area, without guards
  Area send_;
  Area receive_;
};

}  // namespace rondo::bench
