#include "bench/memory.hpp"

#include <cstring>
#include <new>

#include "rondo/memory.hpp"

namespace rondo::bench {

namespace {

constexpr std::align_val_t page{4096};

class HostMemory final : public BufferMemory {
 public:
  std::byte* allocate(std::size_t bytes) override {
    return static_cast<std::byte*>(::operator new[](bytes, page));
  }
  void deallocate(std::byte* memory) noexcept override { ::operator delete[](memory, page); }
};

class SharedMemory final : public BufferMemory {
 public:
  std::byte* allocate(std::size_t bytes) override {
    return static_cast<std::byte*>(rondo::allocate(bytes));
  }
  void deallocate(std::byte* memory) noexcept override { rondo::deallocate(memory); }
};

}  // namespace

void BufferMemory::copy(std::byte* to, const std::byte* from, std::size_t bytes) {
  std::memcpy(to, from, bytes);
}

BufferMemory& host_memory() {
  static HostMemory memory;
  return memory;
}

BufferMemory& shared_memory() {
  static SharedMemory memory;
  return memory;
}

}  // namespace rondo::bench
