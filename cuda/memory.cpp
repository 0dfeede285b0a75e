#include <algorithm>
#include <cstring>

#include "base/text.hpp"
#include "cuda/driver.hpp"
#include "cuda/errors.hpp"
#include "cuda/runtime.hpp"

namespace rondo {

namespace {

CUdeviceptr address(const void* pointer) {
  return reinterpret_cast<CUdeviceptr>(pointer);
}

CUmemAllocationProp allocation_on(int device) {
  CUmemAllocationProp prop = {};
  prop.type = CU_MEM_ALLOCATION_TYPE_PINNED;
  prop.requestedHandleTypes = CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR;
  prop.location = {CU_MEM_LOCATION_TYPE_DEVICE, {device}};
  return prop;
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

}  // namespace

Result<MemoryInfo> CudaRuntime::describe(const void* pointer) {
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
  if (kind == Allocation::descriptor) return allocate_with_descriptor(device, bytes);
  void* memory = nullptr;
  Result<> done;
  if (kind == Allocation::device) {
    done = checked("cudaMalloc", cudaMalloc(&memory, bytes));
  } else if (kind == Allocation::pinned) {
    done = checked("cudaHostAlloc", cudaHostAlloc(&memory, bytes, cudaHostAllocPortable));
  } else if (kind == Allocation::managed) {
    done = checked("cudaMallocManaged", cudaMallocManaged(&memory, bytes, cudaMemAttachGlobal));
  } else {
    done = checked("cudaMallocAsync", cudaMallocAsync(&memory, bytes, nullptr));
    if (done) done = checked("cudaStreamSynchronize", cudaStreamSynchronize(nullptr));
  }
  if (!done) return done.error();
  return memory;
}

Result<> CudaRuntime::deallocate(Allocation kind, void* memory) {
  const ApartFromCaptures apart;
  switch (kind) {
    case Allocation::device:
    case Allocation::managed:
      return checked("cudaFree", cudaFree(memory));
    case Allocation::pinned:
      return checked("cudaFreeHost", cudaFreeHost(memory));
    case Allocation::descriptor:
      return unmap(memory);
    case Allocation::pool:
      break;
  }
  const Result<MemoryInfo> info = describe(memory);
  if (!info) return info.error();
  const ChosenDevice here(info.value().device);
  if (!here.chosen()) return here.chosen();
  if (Result<> freed = checked("cudaFreeAsync", cudaFreeAsync(memory, nullptr)); !freed) {
    return freed;
  }
  return checked("cudaStreamSynchronize", cudaStreamSynchronize(nullptr));
}

// Kernels and streams get the host's addresses, which devices must know as their own, too.
Result<> CudaRuntime::pin(void* memory, std::size_t bytes) {
  const ApartFromCaptures apart;
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
  const ApartFromCaptures apart;
  return checked("cudaHostUnregister", cudaHostUnregister(memory));
}

Result<void*> CudaRuntime::allocate_with_descriptor(int device, std::size_t bytes) {
  const Result<const Driver*> calls = driver();
  if (!calls) return calls.error();
  const CUmemAllocationProp prop = allocation_on(device);
  std::size_t granularity = 1;
  if (Result<> done = checked("cuMemGetAllocationGranularity",
                              calls.value()->allocation_granularity(
                                  &granularity, &prop, CU_MEM_ALLOC_GRANULARITY_RECOMMENDED));
      !done) {
    return done.error();
  }
  const std::size_t whole = (bytes + granularity - 1) / granularity * granularity;
  CUmemGenericAllocationHandle allocation = 0;
  const CUresult created = calls.value()->mem_create(&allocation, whole, &prop, 0);
  if (created != CUDA_SUCCESS) return cuda_error("cuMemCreate", created);
  return map(device, allocation, whole);
}

// The mapping keeps the allocation alive; the handle is given back in any case.
Result<void*> CudaRuntime::map(int device, unsigned long long allocation, std::size_t bytes) {
  const Driver& calls = *driver().value();
  CUdeviceptr base = 0;
  Result<> done = checked("cuMemAddressReserve", calls.address_reserve(&base, bytes, 0, 0, 0));
  const bool is_reserved = done.ok();
  if (done) done = checked("cuMemMap", calls.mem_map(base, bytes, 0, allocation, 0));
  const bool is_mapped = done.ok();
  calls.mem_release(allocation);
  CUmemAccessDesc access = {};
  access.location = {CU_MEM_LOCATION_TYPE_DEVICE, {device}};
  access.flags = CU_MEM_ACCESS_FLAGS_PROT_READWRITE;
  if (done) done = checked("cuMemSetAccess", calls.set_access(base, bytes, &access, 1));
  if (!done) {
    if (is_mapped) calls.mem_unmap(base, bytes);
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
  return memory;
}

Result<> CudaRuntime::close_memory(void* base) {
  const ApartFromCaptures apart;
  return checked("cudaIpcCloseMemHandle", cudaIpcCloseMemHandle(base));
}

Result<Descriptor> CudaRuntime::export_descriptor(const void* pointer) {
  const Result<MemoryInfo> info = describe(pointer);
  if (!info) return info.error();
  if (!info.value().has_descriptor) {
    return Error(ErrorCode::unsupported, "cuMemExportToShareableHandle: memory without descriptor");
  }
  const Driver& calls = *driver().value();
  CUmemGenericAllocationHandle allocation = 0;
  const CUresult retained = calls.retain_handle(&allocation, const_cast<void*>(pointer));
  if (retained != CUDA_SUCCESS) return cuda_error("cuMemRetainAllocationHandle", retained);
  int file = -1;
  const CUresult exported =
      calls.export_handle(&file, allocation, CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR, 0);
  calls.mem_release(allocation);
  if (exported != CUDA_SUCCESS) return cuda_error("cuMemExportToShareableHandle", exported);
  return Descriptor(file);
}

Result<void*> CudaRuntime::map_descriptor(int device, int descriptor, std::size_t bytes) {
  const ChosenDevice here(device);
  if (!here.chosen()) return here.chosen().error();
  const Result<const Driver*> calls = driver();
  if (!calls) return calls.error();
  CUmemGenericAllocationHandle allocation = 0;
  void* const given = reinterpret_cast<void*>(static_cast<std::uintptr_t>(descriptor));
  const CUresult imported =
      calls.value()->import_handle(&allocation, given, CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR);
  if (imported != CUDA_SUCCESS) return cuda_error("cuMemImportFromShareableHandle", imported);
  return map(device, allocation, bytes);
}

Result<> CudaRuntime::unmap_descriptor(void* base) {
  return unmap(base);
}

}  // namespace rondo
