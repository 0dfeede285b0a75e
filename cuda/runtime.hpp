#pragma once

// The devices of this process, by CUDA. See device/runtime.hpp for what each function means.

#include <cuda_runtime_api.h>

#include <map>
#include <mutex>

#include "device/runtime.hpp"

namespace rondo {

/// Makes a device the one of this thread, and gives back the one before it.
class ChosenDevice {
 public:
  explicit ChosenDevice(int device);
  ChosenDevice(const ChosenDevice&) = delete;
  ChosenDevice& operator=(const ChosenDevice&) = delete;
  ~ChosenDevice();
  const Result<>& chosen() const { return chosen_; }

 private:
  int before_ = -1;
  Result<> chosen_;
};

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
  Result<Descriptor> export_descriptor(const void* pointer) override;
  Result<void*> map_descriptor(int device, int descriptor, std::size_t bytes) override;
  Result<> unmap_descriptor(void* base) override;

  Result<DeviceStream> create_stream(int device) override;
  Result<> destroy_stream(DeviceStream stream) override;
  Result<bool> is_done(DeviceStream stream) override;
  Result<> synchronize(DeviceStream stream) override;
  Result<bool> is_captured(DeviceStream stream) override;
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

 private:
  Result<void*> allocate_with_descriptor(int device, std::size_t bytes);
  Result<void*> map(int device, unsigned long long allocation, std::size_t bytes);
  Result<> unmap(void* base);

  std::mutex mutex_;
  std::map<void*, std::size_t> mapped_;  // by map()
};

}  // namespace rondo
