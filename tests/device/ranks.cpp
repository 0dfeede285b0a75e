#include "ranks.hpp"

#include <gtest/gtest.h>

#include <barrier>
#include <cstdlib>
#include <numeric>
#include <thread>

#include "bootstrap/device_library.hpp"
#include "bootstrap/environment.hpp"

namespace rondo::test {

namespace {

// DEVICE_ORDER says how steps wait for each other: as Options::device_order, or "programs" for
// kernels without packets. Nothing for what suits.
void set_order(Options& options) {
  const char* const asked = std::getenv("DEVICE_ORDER");
  if (asked == nullptr || options.device_order) return;
  const bool has_no_packets = std::string(asked) == "programs";
  options.device_order = has_no_packets ? "kernels" : asked;
  if (has_no_packets) options.device_packet_bytes = 0;
}

}  // namespace

bool are_processes() {
  return std::getenv("EMULATED_PROCESSES") != nullptr;
}

DeviceRuntime& own_runtime() {
  return *must(open_device_runtime(process_environment));
}

EmulatedRuntime* emulated(DeviceRuntime& runtime) {
  const bool is_emulated = must(runtime.devices())[0].name == "emulated device";
  return is_emulated ? static_cast<EmulatedRuntime*>(&runtime) : nullptr;
}

bool are_emulated() {
  return emulated(own_runtime()) != nullptr;
}

bool has_two_devices() {
  return are_emulated() && must(own_runtime().devices()).size() > 1;
}

Communicator* launched() {
  static Communicator world;
  if (std::getenv("RONDO_SIZE") == nullptr) return nullptr;
  if (world.size() == 0) world = Communicator::from_env();
  return &world;
}

void run_ranks(int ranks, const Body& body, Options options) {
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

void run_connected(int ranks, const Body& body, const Options& options) {
  run_ranks(
      ranks,
      [&](Rank& rank) {
        const bool is_connected = rank.comm.connect_devices(0);
        EXPECT_TRUE(is_connected);
        if (is_connected) body(rank);
      },
      options);
}

std::vector<int> counting(std::size_t count, int first) {
  std::vector<int> values(count);
  std::iota(values.begin(), values.end(), first);
  return values;
}

}  // namespace rondo::test
