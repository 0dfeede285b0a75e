#include "cuda/runtime.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "base/text.hpp"
#include "cuda/errors.hpp"
#include "cuda/kernels.hpp"

namespace rondo {

namespace {

cudaEvent_t native(DeviceEvent event) {
  return static_cast<cudaEvent_t>(event.native);
}

// "Not ready" is an answer.
Result<bool> answer(const char* call, cudaError_t error) {
  if (error == cudaErrorNotReady) return false;
  if (error != cudaSuccess) return cuda_error(call, error);
  return true;
}

Result<int> multiprocessors_of(int device) {
  int multiprocessors = 0;
  const cudaError_t error =
      cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, device);
  if (error != cudaSuccess) return cuda_error("cudaDeviceGetAttribute", error);
  return multiprocessors;
}

/// Thread blocks for so many pieces of work. A few for each multiprocessor hide the way to memory.
Result<unsigned> blocks_for(std::size_t pieces, int device, int most) {
  const Result<int> multiprocessors = multiprocessors_of(device);
  if (!multiprocessors) return multiprocessors.error();
  const auto allowed = static_cast<std::size_t>(most > 0 ? most : 4 * multiprocessors.value());
  const std::size_t wanted = (pieces + threads_of_a_block - 1) / threads_of_a_block;
  return static_cast<unsigned>(std::clamp<std::size_t>(wanted, 1, allowed));
}

std::atomic<int> chosen_last = -1;

}  // namespace

ChosenDevice::ChosenDevice(int device) {
  if (const Result<const Driver*> calls = remember(); calls) choose(*calls.value(), device);
}

ChosenDevice::ChosenDevice() {
  const Result<const Driver*> calls = remember();
  const int device = chosen_last;
  if (calls && before_ == nullptr && device >= 0) choose(*calls.value(), device);
}

ChosenDevice::~ChosenDevice() {
  if (restoring_ != nullptr) restoring_->set_context(before_);
}

Result<const Driver*> ChosenDevice::remember() {
  const Result<const Driver*> calls = driver();
  chosen_ = calls ? checked("cuCtxGetCurrent", calls.value()->get_context(&before_))
                  : Result<>(calls.error());
  if (!chosen_) return chosen_.error();
  return calls;
}

void ChosenDevice::choose(const Driver& calls, int device) {
  restoring_ = &calls;
  chosen_ = checked("cudaSetDevice", cudaSetDevice(device));
  if (chosen_) chosen_last = device;
}

Result<std::vector<DeviceInfo>> CudaRuntime::devices() {
  int count = 0;
  int driver_version = 0;
  if (cudaDriverGetVersion(&driver_version) == cudaSuccess && driver_version == 0) {
    return Error(ErrorCode::unsupported, "there is no CUDA driver");
  }
  const cudaError_t counted = cudaGetDeviceCount(&count);
  if (counted == cudaErrorNoDevice) {
    static_cast<void>(cudaGetLastError());
    return std::vector<DeviceInfo>();
  }
  if (counted != cudaSuccess) return cuda_error("cudaGetDeviceCount", counted);
  std::vector<DeviceInfo> all(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) {
    cudaDeviceProp found = {};
    const cudaError_t error = cudaGetDeviceProperties(&found, i);
    if (error != cudaSuccess) return cuda_error("cudaGetDeviceProperties", error);
    DeviceInfo& info = all[static_cast<std::size_t>(i)];
    info.name = found.name;
    std::memcpy(info.uuid.data(), found.uuid.bytes, info.uuid.size());
    char pci[32] = {};
    if (cudaDeviceGetPCIBusId(pci, sizeof(pci), i) == cudaSuccess) info.pci = pci;
    info.memory_bytes = found.totalGlobalMem;
    info.multiprocessors = found.multiProcessorCount;
  }
  return all;
}

Result<> CudaRuntime::reach_device(int device, int other) {
  const ChosenDevice here(device);
  if (!here.chosen()) return here.chosen();
  int is_possible = 0;
  const cudaError_t asked = cudaDeviceCanAccessPeer(&is_possible, device, other);
  if (asked != cudaSuccess) return cuda_error("cudaDeviceCanAccessPeer", asked);
  if (is_possible == 0) {
    return Error(ErrorCode::unsupported,
                 concat("device ", device, " does not reach the memory of device ", other));
  }
  const cudaError_t enabled = cudaDeviceEnablePeerAccess(other, 0);
  if (enabled == cudaErrorPeerAccessAlreadyEnabled) {
    static_cast<void>(cudaGetLastError());
    return {};
  }
  return checked("cudaDeviceEnablePeerAccess", enabled);
}

// Only over NVLink is an atomic operation on a peer's memory one.
Result<DeviceLink> CudaRuntime::link(int device, int other) {
  int reaches = 0;
  int has_atomics = 0;
  cudaError_t asked =
      cudaDeviceGetP2PAttribute(&reaches, cudaDevP2PAttrAccessSupported, device, other);
  if (asked == cudaSuccess && reaches != 0) {
    asked =
        cudaDeviceGetP2PAttribute(&has_atomics, cudaDevP2PAttrNativeAtomicSupported, device, other);
  }
  if (asked != cudaSuccess) return cuda_error("cudaDeviceGetP2PAttribute", asked);
  if (reaches == 0) return DeviceLink::not_known;
  return has_atomics != 0 ? DeviceLink::nvlink : DeviceLink::pcie;
}

Result<DeviceStream> CudaRuntime::create_stream(int device) {
  const ChosenDevice here(device);
  if (!here.chosen()) return here.chosen().error();
  cudaStream_t stream = nullptr;
  const cudaError_t error = cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking);
  if (error != cudaSuccess) return cuda_error("cudaStreamCreateWithFlags", error);
  return DeviceStream{stream, device};
}

Result<> CudaRuntime::destroy_stream(DeviceStream stream) {
  const ChosenDevice here(stream.device);
  if (!here.chosen()) return here.chosen();
  return checked("cudaStreamDestroy", cudaStreamDestroy(native(stream)));
}

Result<bool> CudaRuntime::is_done(DeviceStream stream) {
  const ChosenDevice here(stream.device);
  if (!here.chosen()) return here.chosen().error();
  return answer("cudaStreamQuery", cudaStreamQuery(native(stream)));
}

Result<> CudaRuntime::synchronize(DeviceStream stream) {
  const ChosenDevice here(stream.device);
  if (!here.chosen()) return here.chosen();
  return checked("cudaStreamSynchronize", cudaStreamSynchronize(native(stream)));
}

Result<DeviceEvent> CudaRuntime::create_event(int device, bool shared) {
  const ChosenDevice here(device);
  if (!here.chosen()) return here.chosen().error();
  cudaEvent_t event = nullptr;
  const unsigned flags = cudaEventDisableTiming | (shared ? cudaEventInterprocess : 0u);
  const cudaError_t error = cudaEventCreateWithFlags(&event, flags);
  if (error != cudaSuccess) return cuda_error("cudaEventCreateWithFlags", error);
  return DeviceEvent{event, device};
}

Result<> CudaRuntime::destroy_event(DeviceEvent event) {
  const ChosenDevice here(event.device);
  if (!here.chosen()) return here.chosen();
  return checked("cudaEventDestroy", cudaEventDestroy(native(event)));
}

Result<> CudaRuntime::record(DeviceStream stream, DeviceEvent event) {
  const ChosenDevice here(stream.device);
  if (!here.chosen()) return here.chosen();
  return checked("cudaEventRecord", cudaEventRecord(native(event), native(stream)));
}

Result<> CudaRuntime::wait(DeviceStream stream, DeviceEvent event) {
  const ChosenDevice here(stream.device);
  if (!here.chosen()) return here.chosen();
  return checked("cudaStreamWaitEvent", cudaStreamWaitEvent(native(stream), native(event), 0));
}

Result<bool> CudaRuntime::is_done(DeviceEvent event) {
  const ChosenDevice here(event.device);
  if (!here.chosen()) return here.chosen().error();
  return answer("cudaEventQuery", cudaEventQuery(native(event)));
}

Result<EventHandle> CudaRuntime::export_event(DeviceEvent event) {
  const ChosenDevice here(event.device);
  if (!here.chosen()) return here.chosen().error();
  cudaIpcEventHandle_t made = {};
  const cudaError_t error = cudaIpcGetEventHandle(&made, native(event));
  if (error != cudaSuccess) return cuda_error("cudaIpcGetEventHandle", error);
  EventHandle handle;
  static_assert(sizeof(made) == sizeof(handle.bytes));
  std::memcpy(handle.bytes.data(), &made, sizeof(made));
  return handle;
}

Result<DeviceEvent> CudaRuntime::open_event(int device, const EventHandle& handle) {
  const ChosenDevice here(device);
  if (!here.chosen()) return here.chosen().error();
  cudaIpcEventHandle_t given = {};
  std::memcpy(&given, handle.bytes.data(), sizeof(given));
  cudaEvent_t event = nullptr;
  const cudaError_t error = cudaIpcOpenEventHandle(&event, given);
  if (error != cudaSuccess) return cuda_error("cudaIpcOpenEventHandle", error);
  return DeviceEvent{event, device};
}

Result<> CudaRuntime::copy(DeviceStream stream, void* to, const void* from, std::size_t bytes) {
  const ChosenDevice here(stream.device);
  if (!here.chosen()) return here.chosen();
  return checked("cudaMemcpyAsync",
                 cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, native(stream)));
}

Result<> CudaRuntime::reduce(DeviceStream stream, const DeviceReduction& reduction) {
  const Result<ReduceArguments> arguments = arguments_of(reduction);
  if (!arguments) return arguments.error();
  if (reduction.count == 0) return {};
  const ChosenDevice here(stream.device);
  if (!here.chosen()) return here.chosen();
  const Result<unsigned> blocks = blocks_for(pieces_of(arguments.value(), reduction.dtype),
                                             stream.device, reduction.most_blocks);
  if (!blocks) return blocks.error();
  return checked("reduce", launch_reduce(reduction.dtype, reduction.op, arguments.value(),
                                         blocks.value(), native(stream)));
}

Result<> CudaRuntime::copy_all(DeviceStream stream, std::span<const DeviceCopy> copies,
                               const std::uint32_t* stop) {
  const ChosenDevice here(stream.device);
  if (!here.chosen()) return here.chosen();
  while (!copies.empty()) {
    const std::span<const DeviceCopy> now =
        copies.first(std::min(copies.size(), CopyArguments::most));
    std::size_t longest = 0;
    for (const DeviceCopy& copy : now) longest = std::max(longest, copy.bytes);
    const Result<unsigned> blocks = blocks_for(longest / vector_bytes, stream.device, 0);
    if (!blocks) return blocks.error();
    const Result<> launched = checked(
        "copy_all", launch_copies(arguments_of(now, stop), static_cast<unsigned>(now.size()),
                                  blocks.value(), native(stream)));
    if (!launched) return launched;
    copies = copies.subspan(now.size());
  }
  return {};
}

Result<int> CudaRuntime::resident_blocks(int device) {
  const ChosenDevice here(device);
  if (!here.chosen()) return here.chosen().error();
  const Result<int> multiprocessors = multiprocessors_of(device);
  if (!multiprocessors) return multiprocessors.error();
  int blocks = 0;
  const cudaError_t error = find_resident_blocks(&blocks);
  if (error != cudaSuccess) {
    return cuda_error("cudaOccupancyMaxActiveBlocksPerMultiprocessor", error);
  }
  return blocks * multiprocessors.value();
}

Result<> CudaRuntime::run(DeviceStream stream, const DeviceProgram& program) {
  const Result<ProgramArguments> arguments = arguments_of(program);
  if (!arguments) return arguments.error();
  const ChosenDevice here(stream.device);
  if (!here.chosen()) return here.chosen();
  return checked("run",
                 launch_program(program.dtype, program.op, arguments.value(), native(stream)));
}

Result<> CudaRuntime::exchange(DeviceStream stream, const DevicePackets& packets) {
  const Result<PacketArguments> arguments = arguments_of(packets);
  if (!arguments) return arguments.error();
  const ChosenDevice here(stream.device);
  if (!here.chosen()) return here.chosen();
  const Result<unsigned> blocks =
      blocks_for(units_of(packets.bytes), stream.device, packets.most_blocks);
  if (!blocks) return blocks.error();
  return checked("exchange", launch_packets(packets.dtype, packets.op, arguments.value(),
                                            blocks.value(), native(stream)));
}

Result<> CudaRuntime::write_value(DeviceStream stream, std::uint32_t* word, std::uint32_t value) {
  const Result<const Driver*> calls = driver();
  if (!calls) return calls.error();
  const ChosenDevice here(stream.device);
  if (!here.chosen()) return here.chosen();
  return checked("cuStreamWriteValue32",
                 calls.value()->write_value(native(stream), reinterpret_cast<CUdeviceptr>(word),
                                            value, CU_STREAM_WRITE_VALUE_DEFAULT));
}

Result<> CudaRuntime::wait_value(DeviceStream stream, std::uint32_t* word, std::uint32_t value) {
  const Result<const Driver*> calls = driver();
  if (!calls) return calls.error();
  const ChosenDevice here(stream.device);
  if (!here.chosen()) return here.chosen();
  return checked("cuStreamWaitValue32",
                 calls.value()->wait_value(native(stream), reinterpret_cast<CUdeviceptr>(word),
                                           value, CU_STREAM_WAIT_VALUE_GEQ));
}

Result<> CudaRuntime::call_host(DeviceStream stream, void (*function)(void*), void* argument) {
  const ChosenDevice here(stream.device);
  if (!here.chosen()) return here.chosen();
  return checked("cudaLaunchHostFunc", cudaLaunchHostFunc(native(stream), function, argument));
}

}  // namespace rondo

/// The type is OpenDeviceRuntime.
extern "C" RONDO_API void rondo_open_device_runtime(std::uint32_t version,
                                                    rondo::Result<rondo::DeviceRuntime*>* opened);

extern "C" void rondo_open_device_runtime(std::uint32_t version,
                                          rondo::Result<rondo::DeviceRuntime*>* opened) {
  using namespace rondo;
  if (version != device_runtime_version) {
    *opened = Error(ErrorCode::unsupported,
                    concat("librondo-cuda is of version ", device_runtime_version,
                           " of what this program, of version ", version, ", asks of it"));
    return;
  }
  static CudaRuntime runtime;
  *opened = static_cast<DeviceRuntime*>(&runtime);
}
