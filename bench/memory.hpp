#pragma once

// Memory for the buffers of calls, where a library wants them.

#include <cstddef>

namespace rondo::bench {

class BufferMemory {
 public:
  virtual ~BufferMemory() = default;

  /// From the beginning of a page on. Throws.
  virtual std::byte* allocate(std::size_t bytes) = 0;
  virtual void deallocate(std::byte* memory) noexcept = 0;

  /// Whether the host reads and writes it like any other. Where it does not, it copies.
  virtual bool is_hosts() const { return true; }
  virtual void copy(std::byte* to, const std::byte* from, std::size_t bytes);
};

/// Private memory of this process.
BufferMemory& host_memory();
/// Of rondo::allocate(), which ranks of this host can read in place.
BufferMemory& shared_memory();
/// Of this process, and registered, so that ranks of this host can read it in place, too.
BufferMemory& registered_memory();

}  // namespace rondo::bench
