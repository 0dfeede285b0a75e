#include <algorithm>
#include <cstring>
#include <deque>
#include <span>
#include <utility>

#include "base/hash.hpp"
#include "base/text.hpp"
#include "cuda/driver.hpp"
#include "cuda/errors.hpp"
#include "cuda/runtime.hpp"

namespace rondo {

namespace {

CUdeviceptr address(const void* pointer) {
  return reinterpret_cast<CUdeviceptr>(pointer);
}

CUmemAllocationProp allocation_on(int device, bool is_shared) {
  CUmemAllocationProp prop = {};
  prop.type = CU_MEM_ALLOCATION_TYPE_PINNED;
  if (is_shared) prop.requestedHandleTypes = CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR;
  prop.location = {CU_MEM_LOCATION_TYPE_DEVICE, {device}};
  return prop;
}

cudaMemLocation location_of(int device) {
  cudaMemLocation location = {};
  location.type = cudaMemLocationTypeDevice;
  location.id = device;
  return location;
}

// As functions of CUDA take a descriptor.
void* as_handle(const Descriptor& descriptor) {
  return reinterpret_cast<void*>(static_cast<std::uintptr_t>(descriptor.fd()));
}

MemoryKind kind_of(cudaMemoryType type) {
  switch (type) {
    case cudaMemoryTypeHost:
      return MemoryKind::pinned;
    case cudaMemoryTypeDevice:
      return MemoryKind::device;
    case cudaMemoryTypeManaged:
      return MemoryKind::managed;
    default:
      return MemoryKind::host;
  }
}

// An attribute that is not there for this kind of memory stays what it was.
template <class Value>
void read(const Driver& calls, CUpointer_attribute attribute, const void* pointer, Value& value) {
  Value found = value;
  if (calls.pointer_get_attribute(&found, attribute, address(pointer)) == CUDA_SUCCESS) {
    value = found;
  }
}

Error not_allocated(const Error& error, int device, std::size_t bytes) {
  return Error(error.code(), concat(error.text(), ": ", bytes, " bytes on device ", device));
}

}  // namespace

Result<MemoryInfo> CudaRuntime::describe(const void* pointer) {
  const ChosenDevice here;
  if (!here.chosen()) return here.chosen().error();
  cudaPointerAttributes found = {};
  if (const cudaError_t error = cudaPointerGetAttributes(&found, pointer); error != cudaSuccess) {
    return cuda_error("cudaPointerGetAttributes", error);
  }
  MemoryInfo info;
  info.kind = kind_of(found.type);
  if (info.kind == MemoryKind::host) return info;
  const Result<const Driver*> calls = driver();
  if (!calls) return calls.error();
  const Driver& ask = *calls.value();
  info.device = found.device;
  CUdeviceptr base = 0;
  unsigned long long id = 0;
  int has_handle = 0;
  unsigned long long handle_types = 0;
  read(ask, CU_POINTER_ATTRIBUTE_RANGE_START_ADDR, pointer, base);
  read(ask, CU_POINTER_ATTRIBUTE_RANGE_SIZE, pointer, info.size);
  read(ask, CU_POINTER_ATTRIBUTE_BUFFER_ID, pointer, id);
  read(ask, CU_POINTER_ATTRIBUTE_IS_LEGACY_CUDA_IPC_CAPABLE, pointer, has_handle);
  read(ask, CU_POINTER_ATTRIBUTE_ALLOWED_HANDLE_TYPES, pointer, handle_types);
  info.base = reinterpret_cast<std::byte*>(base);
  info.id = id;
  info.has_handle = info.kind == MemoryKind::device && has_handle != 0;
  info.has_descriptor = info.kind == MemoryKind::device &&
                        (handle_types & CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR) != 0;
  return info;
}

Result<void*> CudaRuntime::allocate(Allocation kind, int device, std::size_t bytes) {
  const ChosenDevice here(device);
  if (!here.chosen()) return here.chosen().error();
  if (bytes == 0) return Error(ErrorCode::invalid_argument, "allocate: 0 bytes");
  if (kind == Allocation::descriptor || kind == Allocation::parts || kind == Allocation::unshared) {
    const Result<void*> mapped = allocate_mapped(kind, device, bytes);
    return mapped ? mapped : not_allocated(mapped.error(), device, bytes);
  }
  void* memory = nullptr;
  Result<> done;
  if (kind == Allocation::device) {
    done = checked("cudaMalloc", cudaMalloc(&memory, bytes));
  } else if (kind == Allocation::pinned) {
    done = checked("cudaHostAlloc", cudaHostAlloc(&memory, bytes, cudaHostAllocPortable));
  } else if (kind == Allocation::managed) {
    done = checked("cudaMallocManaged", cudaMallocManaged(&memory, bytes, cudaMemAttachGlobal));
  } else {
    const Result<cudaMemPool_t> pool = pool_of(kind, device);
    if (!pool) return pool.error();
    done = checked("cudaMallocFromPoolAsync",
                   cudaMallocFromPoolAsync(&memory, bytes, pool.value(), nullptr));
    if (done) done = checked("cudaStreamSynchronize", cudaStreamSynchronize(nullptr));
  }
  if (!done) return not_allocated(done.error(), device, bytes);
  return memory;
}

Result<> CudaRuntime::deallocate(Allocation kind, void* memory) {
  const ChosenDevice here;
  if (!here.chosen()) return here.chosen();
  switch (kind) {
    case Allocation::device:
    case Allocation::managed:
      return checked("cudaFree", cudaFree(memory));
    case Allocation::pinned:
      return checked("cudaFreeHost", cudaFreeHost(memory));
    case Allocation::descriptor:
    case Allocation::parts:
    case Allocation::unshared:
      return unmap(memory);
    case Allocation::pool:
    case Allocation::shared_pool:
      break;
  }
  return free_to_pool(memory);
}

Result<> CudaRuntime::free_to_pool(void* memory) {
  const Result<MemoryInfo> info = describe(memory);
  if (!info) return info.error();
  const ChosenDevice here(info.value().device);
  if (!here.chosen()) return here.chosen();
  if (Result<> freed = checked("cudaFreeAsync", cudaFreeAsync(memory, nullptr)); !freed) {
    return freed;
  }
  return checked("cudaStreamSynchronize", cudaStreamSynchronize(nullptr));
}

// That of the device, or one that can be shared, which is kept.
Result<cudaMemPool_t> CudaRuntime::pool_of(Allocation kind, int device) {
  cudaMemPool_t pool = nullptr;
  if (kind == Allocation::pool) {
    const cudaError_t error = cudaDeviceGetDefaultMemPool(&pool, device);
    if (error != cudaSuccess) return cuda_error("cudaDeviceGetDefaultMemPool", error);
    return pool;
  }
  const std::lock_guard lock(mutex_);
  cudaMemPool_t& kept = shared_pools_[device];
  if (kept == nullptr) {
    cudaMemPoolProps props = {};
    props.allocType = cudaMemAllocationTypePinned;
    props.handleTypes = cudaMemHandleTypePosixFileDescriptor;
    props.location = location_of(device);
    const cudaError_t error = cudaMemPoolCreate(&kept, &props);
    if (error != cudaSuccess) return cuda_error("cudaMemPoolCreate", error);
  }
  return kept;
}

// Kernels and streams get the host's addresses, which devices must know as their own, too.
Result<> CudaRuntime::pin(void* memory, std::size_t bytes) {
  const ChosenDevice here;
  if (!here.chosen()) return here.chosen();
  const unsigned flags = cudaHostRegisterPortable | cudaHostRegisterMapped;
  Result<> done = checked("cudaHostRegister", cudaHostRegister(memory, bytes, flags));
  if (!done) return done;
  void* seen = nullptr;
  done = checked("cudaHostGetDevicePointer", cudaHostGetDevicePointer(&seen, memory, 0));
  if (done && seen == memory) return {};
  static_cast<void>(cudaHostUnregister(memory));
  if (!done) return done;
  return Error(ErrorCode::unsupported, "cudaHostRegister: devices see the memory elsewhere");
}

Result<> CudaRuntime::unpin(void* memory) {
  const ChosenDevice here;
  if (!here.chosen()) return here.chosen();
  return checked("cudaHostUnregister", cudaHostUnregister(memory));
}

Result<void*> CudaRuntime::allocate_mapped(Allocation kind, int device, std::size_t bytes) {
  const Result<const Driver*> calls = driver();
  if (!calls) return calls.error();
  const CUmemAllocationProp prop = allocation_on(device, kind != Allocation::unshared);
  std::size_t granularity = 1;
  if (Result<> done = checked("cuMemGetAllocationGranularity",
                              calls.value()->allocation_granularity(
                                  &granularity, &prop, CU_MEM_ALLOC_GRANULARITY_RECOMMENDED));
      !done) {
    return done.error();
  }
  std::size_t part = (bytes + granularity - 1) / granularity * granularity;
  std::size_t parts = 1;
  if (kind == Allocation::parts) {
    parts = std::max<std::size_t>(part / granularity, 2);
    part = granularity;
  }
  std::vector<MappedPart> made;
  Result<> done;
  while (done && made.size() < parts) {
    CUmemGenericAllocationHandle allocation = 0;
    done = checked("cuMemCreate", calls.value()->mem_create(&allocation, part, &prop, 0));
    if (done) made.push_back({allocation, part});
  }
  return map(device, made, done);
}

// Side by side, unless something went wrong `before`. The mapping keeps the allocations alive; the
// handles are given back in any case.
Result<void*> CudaRuntime::map(int device, const std::vector<MappedPart>& parts, Result<> before) {
  const Driver& calls = *driver().value();
  std::size_t bytes = 0;
  for (const MappedPart& part : parts) bytes += part.bytes;
  CUdeviceptr base = 0;
  Result<> done = before;
  if (done) {
    done = checked("cuMemAddressReserve", calls.address_reserve(&base, bytes, 0, 0, 0));
  }
  const bool is_reserved = done.ok();
  std::size_t mapped = 0;
  for (const MappedPart& part : parts) {
    if (done) {
      done = checked("cuMemMap", calls.mem_map(base + mapped, part.bytes, 0, part.allocation, 0));
      if (done) mapped += part.bytes;
    }
    calls.mem_release(part.allocation);
  }
  CUmemAccessDesc access = {};
  access.location = {CU_MEM_LOCATION_TYPE_DEVICE, {device}};
  access.flags = CU_MEM_ACCESS_FLAGS_PROT_READWRITE;
  if (done) done = checked("cuMemSetAccess", calls.set_access(base, bytes, &access, 1));
  if (!done) {
    if (mapped > 0) calls.mem_unmap(base, mapped);
    if (is_reserved) calls.address_free(base, bytes);
    return done.error();
  }
  void* const memory = reinterpret_cast<void*>(base);
  const std::lock_guard lock(mutex_);
  mapped_[memory] = bytes;
  return memory;
}

// Unlike cudaFree, the driver's call does not wait for work that uses the memory.
Result<> CudaRuntime::unmap(void* base) {
  std::size_t bytes = 0;
  {
    const std::lock_guard lock(mutex_);
    const auto found = mapped_.find(base);
    if (found == mapped_.end()) {
      return Error(ErrorCode::invalid_argument, "unmap: not the beginning of mapped memory");
    }
    bytes = found->second;
    mapped_.erase(found);
  }
  const Result<MemoryInfo> info = describe(base);
  if (!info) return info.error();
  const ChosenDevice here(info.value().device);
  if (!here.chosen()) return here.chosen();
  const Result<> idle = checked("cudaDeviceSynchronize", cudaDeviceSynchronize());
  const Driver& calls = *driver().value();
  Result<> done = checked("cuMemUnmap", calls.mem_unmap(address(base), bytes));
  if (done) done = checked("cuMemAddressFree", calls.address_free(address(base), bytes));
  return idle ? done : idle;
}

Result<MemoryHandle> CudaRuntime::export_memory(const void* pointer) {
  const Result<MemoryInfo> info = describe(pointer);
  if (!info) return info.error();
  if (!info.value().has_handle) {
    return Error(ErrorCode::unsupported, "cudaIpcGetMemHandle: this memory has no handle");
  }
  const ChosenDevice here(info.value().device);
  if (!here.chosen()) return here.chosen().error();
  cudaIpcMemHandle_t made = {};
  if (const cudaError_t error = cudaIpcGetMemHandle(&made, info.value().base);
      error != cudaSuccess) {
    return cuda_error("cudaIpcGetMemHandle", error);
  }
  MemoryHandle handle;
  static_assert(sizeof(made) == sizeof(handle.bytes));
  std::memcpy(handle.bytes.data(), &made, sizeof(made));
  return handle;
}

Result<void*> CudaRuntime::open_memory(int device, const MemoryHandle& handle) {
  const ChosenDevice here(device);
  if (!here.chosen()) return here.chosen().error();
  cudaIpcMemHandle_t given = {};
  std::memcpy(&given, handle.bytes.data(), sizeof(given));
  void* memory = nullptr;
  const cudaError_t error = cudaIpcOpenMemHandle(&memory, given, cudaIpcMemLazyEnablePeerAccess);
  if (error != cudaSuccess) return cuda_error("cudaIpcOpenMemHandle", error);
  const std::lock_guard lock(mutex_);
  opened_.emplace(memory, device);
  return memory;
}

Result<> CudaRuntime::close_memory(void* base) {
  int device = 0;
  {
    const std::lock_guard lock(mutex_);
    const auto found = opened_.find(base);
    if (found == opened_.end()) {
      return Error(ErrorCode::invalid_argument, "close_memory: it is not open");
    }
    device = found->second;
    opened_.erase(found);
  }
  const ChosenDevice here(device);
  if (!here.chosen()) return here.chosen();
  return checked("cudaIpcCloseMemHandle", cudaIpcCloseMemHandle(base));
}

// All allocations that lie side by side around the pointer, as in segments that grow.
Result<MemoryParts> CudaRuntime::export_parts(const void* pointer) {
  const Result<MemoryInfo> info = describe(pointer);
  if (!info) return info.error();
  if (!info.value().has_descriptor) {
    return Error(ErrorCode::unsupported,
                 "cuMemExportToShareableHandle: the memory was not made to be shared");
  }
  const Driver& calls = *driver().value();
  CUmemoryPool pool = nullptr;
  read(calls, CU_POINTER_ATTRIBUTE_MEMPOOL_HANDLE, pointer, pool);
  if (pool != nullptr) return export_from_pool(info.value(), pool);
  const auto is_beside = [&](const std::byte* place, MemoryInfo& found) {
    const Result<MemoryInfo> other = describe(place);
    if (!other || !other.value().has_descriptor || other.value().device != info.value().device) {
      return false;
    }
    CUmemoryPool its = nullptr;
    read(calls, CU_POINTER_ATTRIBUTE_MEMPOOL_HANDLE, place, its);
    found = other.value();
    return its == nullptr;
  };
  std::deque<MemoryInfo> parts = {info.value()};
  MemoryInfo next;
  while (parts.size() <= MemoryParts::most_parts && is_beside(parts.front().base - 1, next)) {
    parts.push_front(next);
  }
  while (parts.size() <= MemoryParts::most_parts &&
         is_beside(parts.back().base + parts.back().size, next)) {
    parts.push_back(next);
  }
  if (parts.size() > MemoryParts::most_parts) {
    return Error(ErrorCode::unsupported,
                 concat("the memory is in more than ", MemoryParts::most_parts, " parts"));
  }
  MemoryParts made{.base = parts.front().base, .id = fnv1a_start};
  for (const MemoryInfo& part : parts) {
    Result<Descriptor> descriptor = export_part(part.base);
    if (!descriptor) return descriptor.error();
    made.parts.push_back({std::move(descriptor).value(), part.size});
    made.size += part.size;
    made.id = fnv1a(std::as_bytes(std::span(&part.id, 1)), made.id);
  }
  return made;
}

Result<Descriptor> CudaRuntime::export_part(void* base) {
  const Driver& calls = *driver().value();
  CUmemGenericAllocationHandle allocation = 0;
  const CUresult retained = calls.retain_handle(&allocation, base);
  if (retained != CUDA_SUCCESS) return cuda_error("cuMemRetainAllocationHandle", retained);
  int file = -1;
  const CUresult exported =
      calls.export_handle(&file, allocation, CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR, 0);
  calls.mem_release(allocation);
  if (exported != CUDA_SUCCESS) return cuda_error("cuMemExportToShareableHandle", exported);
  return Descriptor(file);
}

Result<MemoryParts> CudaRuntime::export_from_pool(const MemoryInfo& info, cudaMemPool_t pool) {
  int file = -1;
  cudaError_t error =
      cudaMemPoolExportToShareableHandle(&file, pool, cudaMemHandleTypePosixFileDescriptor, 0);
  if (error != cudaSuccess) return cuda_error("cudaMemPoolExportToShareableHandle", error);
  MemoryParts made{.base = info.base, .size = info.size, .id = info.id, .is_in_pool = true};
  made.parts.push_back({Descriptor(file), info.size});
  cudaMemPoolPtrExportData data = {};
  error = cudaMemPoolExportPointer(&data, info.base);
  if (error != cudaSuccess) return cuda_error("cudaMemPoolExportPointer", error);
  static_assert(sizeof(data) == sizeof(made.pointer.bytes));
  std::memcpy(made.pointer.bytes.data(), &data, sizeof(data));
  return made;
}

Result<void*> CudaRuntime::map_parts(int device, const MemoryParts& memory) {
  const ChosenDevice here(device);
  if (!here.chosen()) return here.chosen().error();
  const Result<const Driver*> calls = driver();
  if (!calls) return calls.error();
  if (memory.parts.empty()) return Error(ErrorCode::invalid_argument, "map_parts: no descriptors");
  if (memory.is_in_pool) return map_from_pool(device, memory);
  std::vector<MappedPart> imported;
  Result<> done;
  for (const MemoryParts::Part& part : memory.parts) {
    CUmemGenericAllocationHandle allocation = 0;
    done = checked("cuMemImportFromShareableHandle",
                   calls.value()->import_handle(&allocation, as_handle(part.descriptor),
                                                CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR));
    if (!done) break;
    imported.push_back({allocation, part.bytes});
  }
  return map(device, imported, done);
}

// Each has a pool of its own, as the same one that it is.
Result<void*> CudaRuntime::map_from_pool(int device, const MemoryParts& memory) {
  cudaMemPool_t pool = nullptr;
  Result<> done =
      checked("cudaMemPoolImportFromShareableHandle",
              cudaMemPoolImportFromShareableHandle(&pool, as_handle(memory.parts[0].descriptor),
                                                   cudaMemHandleTypePosixFileDescriptor, 0));
  if (!done) return done.error();
  const cudaMemAccessDesc access = {location_of(device), cudaMemAccessFlagsProtReadWrite};
  done = checked("cudaMemPoolSetAccess", cudaMemPoolSetAccess(pool, &access, 1));
  cudaMemPoolPtrExportData data = {};
  std::memcpy(&data, memory.pointer.bytes.data(), sizeof(data));
  void* place = nullptr;
  if (done) {
    done = checked("cudaMemPoolImportPointer", cudaMemPoolImportPointer(&place, pool, &data));
  }
  if (!done) {
    static_cast<void>(cudaMemPoolDestroy(pool));
    return done.error();
  }
  const std::lock_guard lock(mutex_);
  imported_pools_[place] = pool;
  return place;
}

// The owner must free it later than this.
Result<> CudaRuntime::unmap_parts(void* base) {
  cudaMemPool_t pool = nullptr;
  {
    const std::lock_guard lock(mutex_);
    const auto found = imported_pools_.find(base);
    if (found != imported_pools_.end()) {
      pool = found->second;
      imported_pools_.erase(found);
    }
  }
  if (pool == nullptr) return unmap(base);
  const Result<MemoryInfo> info = describe(base);
  if (!info) return info.error();
  const ChosenDevice here(info.value().device);
  if (!here.chosen()) return here.chosen();
  const Result<> idle = checked("cudaDeviceSynchronize", cudaDeviceSynchronize());
  const Result<> freed = free_to_pool(base);
  const Result<> destroyed = checked("cudaMemPoolDestroy", cudaMemPoolDestroy(pool));
  return !idle ? idle : !freed ? freed : destroyed;
}

}  // namespace rondo
