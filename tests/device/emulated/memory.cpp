#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/text.hpp"
#include "device/emulated/runtime.hpp"

namespace rondo::test {

namespace {

template <class Handle>
Handle handle_of(std::uint64_t number) {
  Handle handle;
  std::memcpy(handle.bytes.data(), &number, sizeof(number));
  return handle;
}

std::uint64_t number_in(const MemoryHandle& handle) {
  std::uint64_t number = 0;
  std::memcpy(&number, handle.bytes.data(), sizeof(number));
  return number;
}

MemoryKind kind_of(Allocation allocation) {
  if (allocation == Allocation::pinned) return MemoryKind::pinned;
  if (allocation == Allocation::managed) return MemoryKind::managed;
  return MemoryKind::device;
}

}  // namespace

// What the process had is gone, as when it is killed: others must not touch it any more.
EmulatedRuntime::~EmulatedRuntime() {
  fate_.seal();
  streams_.clear();
  default_streams_.clear();
  while (!mappings_.empty()) hide(mappings_.begin());
  const std::lock_guard lock(machine_.mutex_);
  for (const auto& [size, bases] : free_addresses_) {
    for (std::byte* const base : bases) {
      machine_.reserved_.erase(base);
      release_addresses(base, size);
    }
  }
}

EmulatedRuntime::Mappings::iterator EmulatedRuntime::mapping_of(const void* pointer) {
  auto* const address = static_cast<std::byte*>(const_cast<void*>(pointer));
  auto found = mappings_.upper_bound(address);
  if (found == mappings_.begin()) return mappings_.end();
  --found;
  return address < found->first + found->second.storage->size ? found : mappings_.end();
}

// At an address where something else may have been before.
std::byte* EmulatedRuntime::show(std::shared_ptr<Storage> storage, Origin origin) {
  std::byte* base = storage->bytes;
  if (kind_of(storage->kind) == MemoryKind::device) {
    const std::size_t size = whole_pages(storage->size);
    std::vector<std::byte*>& free = free_addresses_[size];
    if (free.empty()) {
      free.push_back(reserve_addresses(size));
      const std::lock_guard lock(machine_.mutex_);
      machine_.reserved_[free.back()] = size;
    }
    base = free.back();
    free.pop_back();
  }
  mappings_[base] = {std::move(storage), origin};
  return base;
}

void EmulatedRuntime::hide(Mappings::iterator mapping) {
  const std::shared_ptr<Storage> storage = mapping->second.storage;
  if (mapping->second.origin == Origin::own) {
    // Descriptors keep memory alive.
    if (storage->kind != Allocation::descriptor) storage->is_freed = true;
    machine_.give_back(*storage);
  }
  if (kind_of(storage->kind) == MemoryKind::device) {
    free_addresses_[whole_pages(storage->size)].push_back(mapping->first);
  }
  mappings_.erase(mapping);
}

Result<MemoryInfo> EmulatedRuntime::describe(const void* pointer) {
  if (const auto error = fate_.error()) return *error;
  const std::lock_guard lock(mutex_);
  const auto mapping = mapping_of(pointer);
  if (mapping == mappings_.end()) return MemoryInfo{};
  const Storage& storage = *mapping->second.storage;
  const bool is_own = mapping->second.origin == Origin::own;
  return MemoryInfo{.kind = kind_of(storage.kind),
                    .device = storage.device,
                    .base = mapping->first,
                    .size = storage.size,
                    .id = storage.number,
                    .has_handle = is_own && storage.kind == Allocation::device,
                    .has_descriptor = is_own && storage.kind == Allocation::descriptor};
}

Result<void*> EmulatedRuntime::allocate(Allocation kind, int device, std::size_t bytes) {
  if (Result<> fine = check("allocate", device); !fine) return fine.error();
  if (bytes == 0) return refuse("allocate", "0 bytes");
  ++machine_.waiting_calls;
  const std::lock_guard lock(mutex_);
  std::shared_ptr<Storage> storage = machine_.take(kind, device, bytes);
  if (!storage) return Error(ErrorCode::resource, "allocate: out of memory");
  return static_cast<void*>(show(std::move(storage), Origin::own));
}

Result<> EmulatedRuntime::deallocate(Allocation kind, void* memory) {
  ++machine_.waiting_calls;
  if (const auto error = fate_.error()) return *error;
  drain(-1);
  const std::lock_guard lock(mutex_);
  const auto mapping = mappings_.find(static_cast<std::byte*>(memory));
  if (mapping == mappings_.end() || mapping->second.origin != Origin::own ||
      mapping->second.storage->kind != kind) {
    return refuse("deallocate", "no such allocation");
  }
  hide(mapping);
  return {};
}

Result<> EmulatedRuntime::pin(void* memory, std::size_t bytes) {
  if (const auto error = fate_.error()) return *error;
  ++machine_.waiting_calls;
  if (machine_.refuses_pinning) return Error(ErrorCode::unsupported, "pin: not supported");
  const std::lock_guard lock(mutex_);
  if (mapping_of(memory) != mappings_.end()) return refuse("pin", "it is pinned already");
  show(machine_.borrow(memory, bytes), Origin::own);
  return {};
}

Result<> EmulatedRuntime::unpin(void* memory) {
  return deallocate(Allocation::pinned, memory);
}

Result<MemoryHandle> EmulatedRuntime::export_memory(const void* pointer) {
  if (const auto error = fate_.error()) return *error;
  const std::lock_guard lock(mutex_);
  const auto mapping = mapping_of(pointer);
  const bool is_own = mapping != mappings_.end() && mapping->second.origin == Origin::own;
  if (!is_own || mapping->second.storage->kind != Allocation::device || machine_.refuses_exports) {
    return Error(ErrorCode::unsupported, "export_memory: this memory has no handle");
  }
  const std::shared_ptr<Storage>& storage = mapping->second.storage;
  const std::lock_guard machine_lock(machine_.mutex_);
  machine_.exports_[storage->number] = {storage, number_};
  return handle_of<MemoryHandle>(storage->number);
}

Result<void*> EmulatedRuntime::open_memory(int device, const MemoryHandle& handle) {
  if (Result<> fine = check("open_memory", device); !fine) return fine.error();
  ++machine_.waiting_calls;
  drain(device);
  const std::lock_guard lock(mutex_);
  std::shared_ptr<Storage> storage;
  {
    const std::lock_guard machine_lock(machine_.mutex_);
    const auto found = machine_.exports_.find(number_in(handle));
    if (found == machine_.exports_.end()) return refuse("open_memory", "no such handle");
    if (found->second.exporter == number_) return refuse("open_memory", "exported by this process");
    storage = found->second.storage.lock();
  }
  if (!storage || storage->is_freed) return refuse("open_memory", "the memory was freed");
  if (machine_.refuses_opens) return Error(ErrorCode::unsupported, "open_memory: not supported");
  for (auto& [base, mapping] : mappings_) {
    if (mapping.storage != storage) continue;
    ++mapping.opened;
    return static_cast<void*>(base);
  }
  return static_cast<void*>(show(std::move(storage), Origin::opened));
}

Result<> EmulatedRuntime::close_memory(void* base) {
  ++machine_.waiting_calls;
  if (const auto error = fate_.error()) return *error;
  drain(-1);
  const std::lock_guard lock(mutex_);
  const auto mapping = mappings_.find(static_cast<std::byte*>(base));
  if (mapping == mappings_.end() || mapping->second.origin != Origin::opened) {
    return refuse("close_memory", "not the beginning of opened memory");
  }
  if (--mapping->second.opened == 0) hide(mapping);
  return {};
}

Result<Descriptor> EmulatedRuntime::export_descriptor(const void* pointer) {
  if (const auto error = fate_.error()) return *error;
  const std::lock_guard lock(mutex_);
  const auto mapping = mapping_of(pointer);
  const bool is_own = mapping != mappings_.end() && mapping->second.origin == Origin::own;
  if (!is_own || mapping->second.storage->kind != Allocation::descriptor ||
      machine_.refuses_exports) {
    return Error(ErrorCode::unsupported, "export_descriptor: this memory has no descriptor");
  }
  const std::shared_ptr<Storage>& storage = mapping->second.storage;
  Descriptor file(::memfd_create("rondo-emulated", MFD_CLOEXEC));
  const std::uint64_t number = storage->number;
  if (!file || ::pwrite(file.fd(), &number, sizeof(number), 0) != sizeof(number)) {
    return system_error("export_descriptor: cannot make a file", errno);
  }
  const std::lock_guard machine_lock(machine_.mutex_);
  machine_.by_descriptor_[number] = storage;
  return file;
}

Result<void*> EmulatedRuntime::map_descriptor(int device, int descriptor, std::size_t bytes) {
  if (Result<> fine = check("map_descriptor", device); !fine) return fine.error();
  ++machine_.waiting_calls;
  drain(device);
  std::uint64_t number = 0;
  if (::pread(descriptor, &number, sizeof(number), 0) != sizeof(number)) {
    return refuse("map_descriptor", "not a descriptor of device memory");
  }
  const std::lock_guard lock(mutex_);
  std::shared_ptr<Storage> storage;
  {
    const std::lock_guard machine_lock(machine_.mutex_);
    const auto found = machine_.by_descriptor_.find(number);
    if (found != machine_.by_descriptor_.end()) storage = found->second;
  }
  if (!storage) return refuse("map_descriptor", "not a descriptor of device memory");
  if (bytes != storage->size) return refuse("map_descriptor", "not the size of the allocation");
  if (machine_.refuses_opens) return Error(ErrorCode::unsupported, "map_descriptor: refused");
  return static_cast<void*>(show(std::move(storage), Origin::descriptor));
}

Result<> EmulatedRuntime::unmap_descriptor(void* base) {
  ++machine_.waiting_calls;
  if (const auto error = fate_.error()) return *error;
  drain(-1);
  const std::lock_guard lock(mutex_);
  const auto mapping = mappings_.find(static_cast<std::byte*>(base));
  if (mapping == mappings_.end() || mapping->second.origin != Origin::descriptor) {
    return refuse("unmap_descriptor", "not the beginning of mapped memory");
  }
  hide(mapping);
  return {};
}

}  // namespace rondo::test
