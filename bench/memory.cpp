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

class RegisteredMemory final : public BufferMemory {
 public:
  std::byte* allocate(std::size_t bytes) override {
    std::byte* const memory = host_memory().allocate(bytes);
    try {
      rondo::register_memory(memory, bytes);
    } catch (...) {
      host_memory().deallocate(memory);
      throw;
    }
    return memory;
  }
  void deallocate(std::byte* memory) noexcept override {
    rondo::deregister_memory(memory);
    host_memory().deallocate(memory);
  }
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

BufferMemory& registered_memory() {
  static RegisteredMemory memory;
  return memory;
}

}  // namespace rondo::bench
