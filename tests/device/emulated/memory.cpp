#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
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

// What is in the file of a descriptor.
struct PartName {
  std::uint64_t storage = 0;
  std::uint64_t offset = 0;
};

std::uint64_t id_of(const Storage& storage, std::size_t offset) {
  return (storage.number << 16) + offset / Storage::part_bytes;
}

bool goes_by_descriptor(Allocation kind) {
  return kind == Allocation::descriptor || kind == Allocation::parts ||
         kind == Allocation::shared_pool;
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
    if (!storage->outlives_owner()) storage->is_freed = true;
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
  // Of what is in parts, the one.
  const bool has_parts = storage.kind == Allocation::parts;
  const auto distance =
      static_cast<std::size_t>(static_cast<const std::byte*>(pointer) - mapping->first);
  const std::size_t begin = has_parts ? distance / Storage::part_bytes * Storage::part_bytes : 0;
  const std::size_t rest = storage.size - begin;
  return MemoryInfo{.kind = kind_of(storage.kind),
                    .device = storage.device,
                    .base = mapping->first + begin,
                    .size = has_parts ? std::min(Storage::part_bytes, rest) : rest,
                    .id = id_of(storage, begin),
                    .has_handle = is_own && storage.kind == Allocation::device,
                    .has_descriptor = is_own && goes_by_descriptor(storage.kind)};
}

Result<void*> EmulatedRuntime::allocate(Allocation kind, int device, std::size_t bytes) {
  if (Result<> fine = check("allocate", device); !fine) return fine.error();
  if (bytes == 0) return refuse("allocate", "0 bytes");
  ++machine_.waiting_calls;
  const std::lock_guard lock(mutex_);
  std::shared_ptr<Storage> storage = machine_.take(kind, device, bytes);
  if (!storage) {
    return Error(ErrorCode::resource,
                 concat("allocate: out of memory: ", bytes, " bytes on device ", device));
  }
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
  ++machine_.open_memories;
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
  if (--mapping->second.opened > 0) return {};
  --machine_.open_memories;
  hide(mapping);
  return {};
}

Result<MemoryParts> EmulatedRuntime::export_parts(const void* pointer) {
  if (const auto error = fate_.error()) return *error;
  const std::lock_guard lock(mutex_);
  const auto mapping = mapping_of(pointer);
  const bool is_own = mapping != mappings_.end() && mapping->second.origin == Origin::own;
  if (!is_own || !goes_by_descriptor(mapping->second.storage->kind) || machine_.refuses_exports) {
    return Error(ErrorCode::unsupported, "export_parts: this memory has no descriptor");
  }
  const std::shared_ptr<Storage>& storage = mapping->second.storage;
  MemoryParts made{.base = mapping->first, .size = storage->size, .id = id_of(*storage, 0)};
  const std::size_t whole =
      storage->kind == Allocation::parts ? Storage::part_bytes : storage->size;
  for (std::size_t begin = 0; begin < storage->size; begin += whole) {
    const PartName name{storage->number, begin};
    Descriptor file(::memfd_create("rondo-emulated", MFD_CLOEXEC));
    if (!file || ::pwrite(file.fd(), &name, sizeof(name), 0) != sizeof(name)) {
      return system_error("export_parts: cannot make a file", errno);
    }
    made.parts.push_back({std::move(file), std::min(whole, storage->size - begin)});
  }
  if (made.parts.size() > MemoryParts::most_parts) {
    return Error(ErrorCode::unsupported, "export_parts: the memory is in too many parts");
  }
  made.is_in_pool = storage->kind == Allocation::shared_pool;
  if (made.is_in_pool) made.pointer = handle_of<MemoryHandle>(storage->number);
  const std::lock_guard machine_lock(machine_.mutex_);
  machine_.by_descriptor_[storage->number] = storage;
  return made;
}

// The parts of one allocation, from its beginning to its end, one after the other.
Result<std::shared_ptr<Storage>> EmulatedRuntime::find_parts(const MemoryParts& memory) {
  std::shared_ptr<Storage> storage;
  std::size_t bytes = 0;
  for (const MemoryParts::Part& part : memory.parts) {
    PartName name;
    if (::pread(part.descriptor.fd(), &name, sizeof(name), 0) != sizeof(name)) {
      return refuse("map_parts", "not a descriptor of device memory");
    }
    const std::lock_guard machine_lock(machine_.mutex_);
    const auto found = machine_.by_descriptor_.find(name.storage);
    if (found == machine_.by_descriptor_.end() || (storage && storage != found->second) ||
        name.offset != bytes) {
      return refuse("map_parts", "these are not the parts of one allocation");
    }
    storage = found->second;
    bytes += part.bytes;
  }
  if (!storage || bytes != storage->size) return refuse("map_parts", "some part is missing");
  const bool is_pools = storage->kind == Allocation::shared_pool;
  if (is_pools != memory.is_in_pool || (is_pools && number_in(memory.pointer) != storage->number)) {
    return refuse("map_parts", "not where the memory is in its pool");
  }
  if (storage->is_freed) return refuse("map_parts", "the memory was freed");
  return storage;
}

Result<void*> EmulatedRuntime::map_parts(int device, const MemoryParts& memory) {
  if (Result<> fine = check("map_parts", device); !fine) return fine.error();
  ++machine_.waiting_calls;
  drain(device);
  const std::lock_guard lock(mutex_);
  Result<std::shared_ptr<Storage>> storage = find_parts(memory);
  if (!storage) return storage.error();
  if (machine_.refuses_opens) return Error(ErrorCode::unsupported, "map_parts: refused");
  ++machine_.open_memories;
  return static_cast<void*>(show(std::move(storage).value(), Origin::descriptor));
}

Result<> EmulatedRuntime::unmap_parts(void* base) {
  ++machine_.waiting_calls;
  if (const auto error = fate_.error()) return *error;
  drain(-1);
  const std::lock_guard lock(mutex_);
  const auto mapping = mappings_.find(static_cast<std::byte*>(base));
  if (mapping == mappings_.end() || mapping->second.origin != Origin::descriptor) {
    return refuse("unmap_parts", "not the beginning of mapped memory");
  }
  --machine_.open_memories;
  hide(mapping);
  return {};
}

}  // namespace rondo::test
