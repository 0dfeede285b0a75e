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

void register_memory(void* memory, std::size_t bytes) {
  const Result<> done =
      process::Regions::of_process().register_memory(static_cast<std::byte*>(memory), bytes);
  if (!done) throw done.error();
}

void deregister_memory(void* memory) {
  const Result<> done =
      process::Regions::of_process().deregister_memory(static_cast<const std::byte*>(memory));
  if (!done) throw done.error();
}

}  // namespace rondo
