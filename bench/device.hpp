#pragma once

// rondo's collectives of device memory, as a library that is measured: calls in the order of a
// stream.

#include <deque>
#include <map>
#include <string>
#include <tuple>

#include "bench/options.hpp"
#include "bench/rondo_library.hpp"
#include "device/runtime.hpp"
#include "rondo/cuda.hpp"

namespace rondo::bench {

/// Those of this process. Throws Error{unsupported} that says why there is none.
struct Devices {
  Devices();
  DeviceRuntime& runtime;
  std::vector<DeviceInfo> all;
};

/// Device memory, reached by the host through a stream.
class StreamMemory final : public BufferMemory {
 public:
  /// `shared_by`: it is used in place; null: not.
  StreamMemory(DeviceRuntime& runtime, DeviceStream stream, Communicator* shared_by)
      : runtime_(runtime), stream_(stream), shared_by_(shared_by) {}

  std::byte* allocate(std::size_t bytes) override;
  void deallocate(std::byte* memory) noexcept override;
  bool is_hosts() const override { return false; }
  void copy(std::byte* to, const std::byte* from, std::size_t bytes) override;

 private:
  DeviceRuntime& runtime_;
  const DeviceStream stream_;
  Communicator* const shared_by_;
};

class RondoOnDevice final : public Rondo {
 public:
  /// The devices of a host are dealt out to its ranks in turns.
  /// `allocated`: from device to device; `registered`: and what is allocated is used in place.
  /// `graph`: calls are captured into graphs, one each, when they are first made.
  RondoOnDevice(Communicator& communicator, const Devices& devices, InPlaceReading reading,
                bool graph);
  RondoOnDevice(const RondoOnDevice&) = delete;
  RondoOnDevice& operator=(const RondoOnDevice&) = delete;
  ~RondoOnDevice() override;

  std::string place() const override { return place_; }
  BufferMemory* memory() override { return &memory_; }
  bool is_ordered_by_stream() const override { return true; }
  void begin(const ErasedCall& call) override;
  void finish() override;

 private:
  using Key = std::tuple<Collective, DType, Op, int, std::size_t, const void*, const void*>;
  struct Captured {
    GraphInstance instance;
    Work work;
  };

  Captured capture(const ErasedCall& call);
  Captured& captured(const ErasedCall& call);
  void forget();

  Communicator& communicator_;
  DeviceRuntime& runtime_;
  const bool is_by_graphs_;
  const DeviceStream stream_;
  const std::string place_;
  StreamMemory memory_;
  std::deque<Work> works_;
  std::map<Key, Captured> captured_;
  std::size_t launches_ = 0;
};

}  // namespace rondo::bench
