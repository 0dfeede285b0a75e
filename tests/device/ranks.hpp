#pragma once

// Ranks with device memory, each a thread. To emulated devices each of them is a process of its own
// where EMULATED_PROCESSES says so; on real ones ranks can be processes, where a launcher says so.

#include <gtest/gtest.h>

#include <barrier>
#include <cstdlib>
#include <functional>
#include <numeric>

#include "bootstrap/device_library.hpp"
#include "bootstrap/environment.hpp"
#include "device/emulated/runtime.hpp"
#include "harness.hpp"
#include "rondo/rondo.hpp"

namespace rondo::test {

inline bool are_processes() {
  return std::getenv("EMULATED_PROCESSES") != nullptr;
}

inline DeviceRuntime& own_runtime() {
  return *must(open_device_runtime(process_environment));
}

// Null where devices are real.
inline EmulatedRuntime* emulated(DeviceRuntime& runtime) {
  const bool is_emulated = must(runtime.devices())[0].name == "emulated device";
  return is_emulated ? static_cast<EmulatedRuntime*>(&runtime) : nullptr;
}

inline bool are_emulated() {
  return emulated(own_runtime()) != nullptr;
}

inline bool has_two_devices() {
  return are_emulated() && must(own_runtime().devices()).size() > 1;
}

// Of this process, where a launcher has started several.
inline Communicator* launched() {
  static Communicator world;
  if (std::getenv("RONDO_SIZE") == nullptr) return nullptr;
  if (world.size() == 0) world = Communicator::from_env();
  return &world;
}

// What one rank has. Device memory is freed when all ranks are through.
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

// DEVICE_ORDER says how steps wait for each other: as Options::device_order, or "programs" for
// kernels without packets. Nothing for what suits.
inline void set_order(Options& options) {
  const char* const asked = std::getenv("DEVICE_ORDER");
  if (asked == nullptr || options.device_order) return;
  const bool has_no_packets = std::string(asked) == "programs";
  options.device_order = has_no_packets ? "kernels" : asked;
  if (has_no_packets) options.device_packet_bytes = 0;
}

// Each rank in a thread, which is its process: the communicator ends there, before the process.
inline void run_ranks(int ranks, const Body& body, Options options = {}) {
  set_order(options);
  if (Communicator* const world = launched()) {
    Communicator own = world->split(0, world->rank());
    if (options.timeout) own.set_timeout(*options.timeout);
    Rank rank(own, [world] { world->barrier(); });
    body(rank);
    world->barrier();
    own = Communicator();
    world->barrier();
    return;
  }
  std::vector<Communicator> world = Communicator::local(ranks, options);
  std::barrier<> end(ranks);
  std::vector<std::thread> threads;
  for (Communicator& comm : world) {
    threads.emplace_back([&end, &body, own = std::move(comm)]() mutable {
      {
        Rank rank(own, [&end] { end.arrive_and_wait(); });
        try {
          body(rank);
        } catch (const std::exception& error) {
          ADD_FAILURE() << "rank " << own.rank() << ": " << error.what();
        }
        end.arrive_and_wait();
        own = Communicator();
      }
      end.arrive_and_wait();
    });
  }
  for (std::thread& thread : threads) thread.join();
}

inline void run_connected(int ranks, const Body& body, const Options& options = {}) {
  run_ranks(
      ranks,
      [&](Rank& rank) {
        const bool is_connected = rank.comm.connect_devices(0);
        EXPECT_TRUE(is_connected);
        if (is_connected) body(rank);
      },
      options);
}

inline std::vector<int> counting(std::size_t count, int first) {
  std::vector<int> values(count);
  std::iota(values.begin(), values.end(), first);
  return values;
}

inline Error error_of(Work& work) {
  try {
    work.wait();
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "the call did not fail";
  return Error(ErrorCode::internal, "none");
}

}  // namespace rondo::test
