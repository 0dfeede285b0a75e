#include "rondo/memory.hpp"

#include "transport/shm/regions.hpp"

namespace rondo {

void* allocate(std::size_t bytes) {
  Result<std::byte*> memory = process::Regions::of_process().allocate(bytes);
  if (!memory) throw memory.error();
  return memory.value();
}

void deallocate(void* memory) noexcept {
  process::Regions::of_process().deallocate(static_cast<std::byte*>(memory));
}

}  // namespace rondo
