#pragma once

// One process on an emulated machine.

#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <vector>

#include "device/emulated/machine.hpp"
#include "device/emulated/stream.hpp"
#include "device/kernels/block_program.hpp"
#include "device/kernels/packets.hpp"

namespace rondo::test {

std::size_t whole_pages(std::size_t bytes);
/// Addresses that belong to nobody, and that cannot be touched.
std::byte* reserve_addresses(std::size_t bytes);
void release_addresses(std::byte* base, std::size_t bytes);

class EmulatedRuntime final : public DeviceRuntime {
 public:
  EmulatedRuntime(Machine& machine, int number) : machine_(machine), number_(number) {}
  ~EmulatedRuntime() override;

  Machine& machine() const { return machine_; }
  /// The process is killed when it launches its next kernel: what it has is gone.
  void die_in_next_kernel() { is_to_die_ = true; }

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
  enum class Origin : std::uint8_t { own, opened, descriptor };

  // Storage at an address of this process.
  struct Mapping {
    std::shared_ptr<Storage> storage;
    Origin origin;
    int opened = 1;  // how often
  };
  using Mappings = std::map<std::byte*, Mapping>;

  // What carries out a graph.
  struct Instance {
    std::shared_ptr<const EmulatedGraph> graph;
    std::uint64_t launched = 0;
    std::atomic<std::uint64_t> done = 0;
  };

  Error refuse(const char* call, const std::string& text) const;
  Result<> check(const char* call, int device) const;
  Result<EmulatedStream*> find(const char* call, DeviceStream stream);
  Result<EmulatedStream*> find_to_use(const char* call, DeviceStream stream);
  Result<EmulatedStream*> find_to_ask(const char* call, DeviceStream stream);
  Result<> refuse_in_capture(const char* call, DeviceStream stream);
  std::vector<std::shared_ptr<EmulatedStream>> captured_streams();
  Result<std::shared_ptr<EventState>> find(const char* call, DeviceEvent event);
  Mappings::iterator mapping_of(const void* pointer);
  Result<std::shared_ptr<Storage>> find_parts(const MemoryParts& memory);
  std::byte* show(std::shared_ptr<Storage> storage, Origin origin);
  void hide(Mappings::iterator mapping);
  void drain(int device);
  bool is_host(const void* pointer);
  Result<> check_range(const char* call, const void* pointer, std::size_t bytes);
  Result<std::uint32_t*> word_at(const char* call, const void* word);
  Result<std::byte*> resolve(const void* pointer, std::size_t bytes, bool may_be_host);
  Result<bool> is_stopped(const std::uint32_t* stop);
  Result<> resolve(ProgramArguments& arguments, std::size_t element, std::vector<std::byte>& own);
  Result<> resolve(PacketArguments& arguments);
  void die();
  Result<> enqueue(const char* call, DeviceStream stream, EmulatedStream::Job job);

  Machine& machine_;
  const int number_;
  Fate fate_;
  std::atomic<bool> is_to_die_ = false;
  std::mutex mutex_;
  Mappings mappings_;
  std::map<std::size_t, std::vector<std::byte*>> free_addresses_;  // the last one is next
  std::map<void*, std::shared_ptr<EmulatedStream>> streams_;
  std::map<int, std::shared_ptr<EmulatedStream>> default_streams_;
  std::map<void*, std::shared_ptr<EventState>> events_;
  std::map<const void*, std::shared_ptr<EmulatedGraph>> graphs_;
  std::map<const void*, std::shared_ptr<Instance>> instances_;
};

}  // namespace rondo::test
