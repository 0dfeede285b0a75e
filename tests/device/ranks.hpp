#pragma once

// Ranks that are threads, and what each of them has of a device. To emulated devices each of them
// is a process of its own where EMULATED_PROCESSES says so; on real ones ranks can be processes.

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "device/emulated/runtime.hpp"
#include "harness.hpp"
#include "rondo/rondo.hpp"

namespace rondo::test {

bool are_processes();
DeviceRuntime& own_runtime();
/// Null where devices are real.
EmulatedRuntime* emulated(DeviceRuntime& runtime);
bool are_emulated();
bool has_two_devices();
/// Of this process, where a launcher has started several; else null.
Communicator* launched();

/// What one rank has. Device memory is freed when all ranks are through.
class Rank {
 public:
  Rank(Communicator& communicator, std::function<void()> meet_others)
      : comm(communicator), meet(std::move(meet_others)) {}

  Communicator& comm;
  const std::function<void()> meet;  // all come here before any goes on, whatever becomes of comm
  DeviceRuntime& runtime = own_runtime();
  const Stream stream{runtime};
  Gate gate{runtime};

  CUstream_st* native() const { return static_cast<CUstream_st*>(DeviceStream(stream).native); }
  int number() const { return comm.rank(); }
  void synchronize() const { must(runtime.synchronize(stream)); }
  /// Of an emulated one.
  Machine& machine() const { return emulated(runtime)->machine(); }
  /// Alike on all ranks at this moment; 0 of real ones.
  int count(std::atomic<int> Machine::*what) const {
    comm.barrier();
    const int now = emulated(runtime) == nullptr ? 0 : (machine().*what).load();
    comm.barrier();
    return now;
  }

  DeviceSpan<int> place(std::size_t count) {
    memory_.push_back(std::make_unique<Memory>(runtime, Allocation::device,
                                               std::max<std::size_t>(count, 1) * sizeof(int)));
    return {memory_.back()->as<int>(), count};
  }
  DeviceSpan<int> put(const std::vector<int>& values) {
    const DeviceSpan<int> made = place(values.size());
    write(made, values);
    return made;
  }
  void write(DeviceSpan<int> to, const std::vector<int>& values) const {
    must(runtime.copy(stream, to.data(), values.data(), values.size() * sizeof(int)));
    synchronize();
  }
  /// When the stream has come so far.
  std::vector<int> get(DeviceSpan<int> span) const {
    std::vector<int> got(span.size());
    must(runtime.copy(stream, got.data(), span.data(), got.size() * sizeof(int)));
    synchronize();
    return got;
  }

 private:
  std::vector<std::unique_ptr<Memory>> memory_;
};

using Body = std::function<void(Rank&)>;

/// Each rank in a thread, which is its process: the communicator ends there, before the process.
void run_ranks(int ranks, const Body& body, Options options = {});
/// The same with connected devices.
void run_connected(int ranks, const Body& body, const Options& options = {});

std::vector<int> counting(std::size_t count, int first);

}  // namespace rondo::test
