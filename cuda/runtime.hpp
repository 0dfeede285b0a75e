#pragma once

// The devices of this process, by CUDA. See device/runtime.hpp for what each function means.

#include <cuda_runtime_api.h>

#include <map>
#include <mutex>

#include "cuda/driver.hpp"
#include "device/runtime.hpp"

namespace rondo {

/// While it lives, what this thread calls leaves alone what any thread captures. Without it CUDA
/// refuses calls that may wait for a device, or are asked of streams, and breaks those captures.
class ApartFromCaptures {
 public:
  ApartFromCaptures() { exchange(); }
  ApartFromCaptures(const ApartFromCaptures&) = delete;
  ApartFromCaptures& operator=(const ApartFromCaptures&) = delete;
  ~ApartFromCaptures() { exchange(); }

 private:
  void exchange() { static_cast<void>(cudaThreadExchangeStreamCaptureMode(&other_)); }

  cudaStreamCaptureMode other_ = cudaStreamCaptureModeRelaxed;
};

/// Makes a device the one of this thread, and gives back what was current before, be it nothing. To
/// choose the device of before would not do: that makes a context on it, which takes its memory.
class ChosenDevice {
 public:
  explicit ChosenDevice(int device);
  /// Any will do: the thread's, else the one that this process chose last.
  ChosenDevice();
  ChosenDevice(const ChosenDevice&) = delete;
  ChosenDevice& operator=(const ChosenDevice&) = delete;
  ~ChosenDevice();
  const Result<>& chosen() const { return chosen_; }

 private:
  // What is current, and the driver's calls to give it back.
  Result<const Driver*> remember();
  void choose(const Driver& calls, int device);

  const ApartFromCaptures apart_;
  CUcontext before_ = nullptr;
  const Driver* restoring_ = nullptr;
  Result<> chosen_;
};

inline cudaStream_t native(DeviceStream stream) {
  return static_cast<cudaStream_t>(stream.native);
}

class CudaRuntime final : public DeviceRuntime {
 public:
  Result<std::vector<DeviceInfo>> devices() override;
  Result<> reach_device(int device, int other) override;
  Result<DeviceLink> link(int device, int other) override;

  Result<MemoryInfo> describe(const void* pointer) override;
  Result<void*> allocate(Allocation kind, int device, std::size_t bytes) override;
  Result<> deallocate(Allocation kind, void* memory) override;
  Result<> pin(void* memory, std::size_t bytes) override;
  Result<> unpin(void* memory) override;
  Result<MemoryHandle> export_memory(const void* pointer) override;
  Result<void*> open_memory(int device, const MemoryHandle& handle) override;
  Result<> close_memory(void* base) override;
  Result<MemoryParts> export_parts(const void* pointer) override;
  Result<void*> map_parts(int device, const MemoryParts& memory) override;
  Result<> unmap_parts(void* base) override;

  Result<DeviceStream> create_stream(int device) override;
  Result<> destroy_stream(DeviceStream stream) override;
  Result<bool> is_done(DeviceStream stream) override;
  Result<> synchronize(DeviceStream stream) override;
  Result<DeviceEvent> create_event(int device, bool shared) override;
  Result<> destroy_event(DeviceEvent event) override;
  Result<> record(DeviceStream stream, DeviceEvent event) override;
  Result<> wait(DeviceStream stream, DeviceEvent event) override;
  Result<bool> is_done(DeviceEvent event) override;
  Result<EventHandle> export_event(DeviceEvent event) override;
  Result<DeviceEvent> open_event(int device, const EventHandle& handle) override;

  Result<> copy(DeviceStream stream, void* to, const void* from, std::size_t bytes) override;
  Result<> reduce(DeviceStream stream, const DeviceReduction& reduction) override;
  Result<> copy_all(DeviceStream stream, std::span<const DeviceCopy> copies,
                    const std::uint32_t* stop) override;
  Result<int> resident_blocks(int device) override;
  Result<> run(DeviceStream stream, const DeviceProgram& program) override;
  Result<> exchange(DeviceStream stream, const DevicePackets& packets) override;
  Result<> write_value(DeviceStream stream, std::uint32_t* word, std::uint32_t value) override;
  Result<> wait_value(DeviceStream stream, std::uint32_t* word, std::uint32_t value) override;
  Result<> call_host(DeviceStream stream, void (*function)(void*), void* argument) override;

  Result<> begin_capture(DeviceStream stream) override;
  Result<DeviceGraph> end_capture(DeviceStream stream) override;
  Result<Capture> capture_of(DeviceStream stream) override;
  Result<> keep_in_graph(DeviceStream stream, void (*release)(void*), void* object) override;
  Result<> destroy_graph(DeviceGraph graph) override;
  Result<GraphInstance> instantiate(DeviceGraph graph) override;
  Result<> launch(DeviceStream stream, GraphInstance instance) override;
  Result<> destroy_instance(GraphInstance instance) override;

 private:
  struct MappedPart {
    unsigned long long allocation = 0;
    std::size_t bytes = 0;
  };

  Result<void*> allocate_mapped(Allocation kind, int device, std::size_t bytes);
  Result<void*> map(int device, const std::vector<MappedPart>& parts, Result<> before);
  Result<> unmap(void* base);
  Result<cudaMemPool_t> pool_of(Allocation kind, int device);
  Result<> free_to_pool(void* memory);
  Result<Descriptor> export_part(void* base);
  Result<MemoryParts> export_from_pool(const MemoryInfo& info, cudaMemPool_t pool);
  Result<void*> map_from_pool(int device, const MemoryParts& memory);

  std::mutex mutex_;
  std::map<void*, std::size_t> mapped_;            // by map()
  std::multimap<void*, int> opened_;               // by which device, once for each time
  std::map<int, cudaMemPool_t> shared_pools_;      // by device
  std::map<void*, cudaMemPool_t> imported_pools_;  // by what is mapped
};

}  // namespace rondo
