#include "device/emulated/machine.hpp"

#include <sys/mman.h>

#include "device/emulated/runtime.hpp"

namespace rondo::test {

namespace {

std::byte* map_memory(std::size_t bytes, int protection) {
  void* const place = ::mmap(nullptr, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return place == MAP_FAILED ? throw std::bad_alloc() : static_cast<std::byte*>(place);
}

}  // namespace

std::size_t whole_pages(std::size_t bytes) {
  return (bytes + 4095) / 4096 * 4096;
}

std::byte* reserve_addresses(std::size_t bytes) {
  return map_memory(bytes, PROT_NONE);
}

void release_addresses(std::byte* base, std::size_t bytes) {
  ::munmap(base, bytes);
}

Storage::Storage(std::uint64_t of_number, Allocation allocation, int on_device, std::size_t of_size)
    : number(of_number),
      kind(allocation),
      device(on_device),
      size(of_size),
      bytes(map_memory(whole_pages(of_size), PROT_READ | PROT_WRITE)) {}

Storage::Storage(std::uint64_t of_number, std::byte* pinned, std::size_t of_size)
    : number(of_number),
      kind(Allocation::pinned),
      device(0),
      size(of_size),
      bytes(pinned),
      is_borrowed(true) {}

Storage::~Storage() {
  if (is_borrowed) return;
  ::munmap(bytes, whole_pages(size));
}

Machine::Machine(int devices, std::size_t bytes_each)
    : left_(static_cast<std::size_t>(devices), bytes_each),
      resident_(static_cast<std::size_t>(devices)) {}

Machine::~Machine() = default;

std::unique_ptr<DeviceRuntime> Machine::process() {
  const std::lock_guard lock(mutex_);
  return std::make_unique<EmulatedRuntime>(*this, processes_++);
}

std::shared_ptr<Storage> Machine::take(Allocation kind, int device, std::size_t size) {
  const std::lock_guard lock(mutex_);
  std::size_t& left = left_[static_cast<std::size_t>(device)];
  if (kind != Allocation::pinned) {
    if (left < size) return nullptr;
    left -= size;
  }
  return std::make_shared<Storage>(++last_number_, kind, device, size);
}

std::shared_ptr<Storage> Machine::borrow(void* pinned, std::size_t size) {
  const std::lock_guard lock(mutex_);
  return std::make_shared<Storage>(++last_number_, static_cast<std::byte*>(pinned), size);
}

void Machine::give_back(const Storage& storage) {
  const std::lock_guard lock(mutex_);
  if (storage.kind == Allocation::pinned) return;
  left_[static_cast<std::size_t>(storage.device)] += storage.size;
}

}  // namespace rondo::test
