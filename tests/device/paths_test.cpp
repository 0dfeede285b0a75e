// What lies between connected devices, and what it costs.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <fstream>
#include <utility>
#include <vector>

#include "ranks.hpp"
#include "rondo/simulate.hpp"

namespace rondo::test {
namespace {

using DeviceCosts = std::vector<std::pair<PathClass, DeviceCost>>;

DeviceCosts device_costs(Communicator& comm) {
  DeviceCosts found;
  const auto& devices = comm.costs().devices;
  for (std::size_t i = 0; i < devices.size(); ++i) {
    if (devices[i]) found.emplace_back(static_cast<PathClass>(i), *devices[i]);
  }
  return found;
}

// Found out at first, or by an earlier test; in any case all ranks have the same.
TEST(PathsOfDevices, HaveCostsThatAllRanksKnow) {
  run_connected(3, [](Rank& rank) {
    const DeviceCosts own = device_costs(rank.comm);
    const auto has = [&](PathClass path) {
      return std::any_of(own.begin(), own.end(),
                         [&](const auto& one) { return one.first == path; });
    };
    EXPECT_TRUE(has(PathClass::self));
    EXPECT_TRUE(!are_processes() || has(PathClass::same_gpu));
    for (const auto& [path, cost] : own) {
      EXPECT_GT(cost.latency_s, 0) << name(path);
      EXPECT_GT(cost.read_byte_s, 0) << name(path);
      std::array<double, 3> agreed = {cost.latency_s, cost.read_byte_s, cost.write_byte_s};
      rank.comm.broadcast(std::span<double>(agreed), 0);
      EXPECT_EQ(agreed[0], cost.latency_s) << name(path);
      EXPECT_EQ(agreed[1], cost.read_byte_s) << name(path);
      EXPECT_EQ(agreed[2], cost.write_byte_s) << name(path);
    }
  });
}

TEST(PathsOfDevices, AreExplained) {
  run_connected(2, [](Rank& rank) {
    const std::string text = rank.comm.explain(Collective::allreduce, 100'000, DType::f32);
    EXPECT_NE(text.find("allreduce of 100000 f32"), std::string::npos) << text;
    EXPECT_NE(text.find(", from device to device: "), std::string::npos) << text;
    EXPECT_NE(text.find("\nrank 1: "), std::string::npos) << text;
    const std::string other = rank.comm.explain(Collective::scan, 100, DType::f32);
    EXPECT_EQ(other.find("from device to device"), std::string::npos) << other;
  });
}

// Of two devices, with what somebody has written of some of the classes.
TEST(PathsOfDevices, CostsThatAreGivenAreNotMeasured) {
  if (!has_two_devices()) GTEST_SKIP() << "of two emulated devices";
  const std::string file =
      testing::TempDir() + (are_processes() ? "processes" : "process") + "-of-two-devices.costs";
  std::ofstream(file) << "rondo costs 1\nhost latency 1us\nrank kernel 5us\n"
                         "device x latency 7us read 1GB/s write 2GB/s\n";
  Options options;
  options.costs = file;
  for (const int linked_by : {2, 1}) {
    run_ranks(
        2,
        [&](Rank& rank) {
          rank.comm.barrier();
          if (rank.number() == 0) rank.machine().linked_by = linked_by;
          rank.comm.barrier();
          EXPECT_TRUE(rank.comm.connect_devices(rank.number()));
          const DeviceCosts own = device_costs(rank.comm);
          ASSERT_EQ(own.size(), 2u);
          EXPECT_EQ(own[0], std::pair(PathClass::self, DeviceCost{7e-6, 1 / 1e9, 1 / 2e9}));
          EXPECT_EQ(own[1].first, linked_by == 1 ? PathClass::host : PathClass::nvlink);
          EXPECT_EQ(rank.comm.costs().kernel_s, 5e-6);
        },
        options);
  }
  std::remove(file.c_str());
}

TEST(PathsOfDevices, OneProcessUsesItsOwnPointers) {
  if (!are_emulated() || are_processes()) GTEST_SKIP() << "of one process with emulated devices";
  Machine& machine = emulated(own_runtime())->machine();
  machine.refuses_exports = true;
  machine.refuses_opens = true;
  run_connected(3, [](Rank& rank) {
    const DeviceSpan<int> numbers = rank.put(counting(100, rank.number()));
    EXPECT_TRUE(rank.comm.share(numbers));
    Work work = rank.comm.allreduce(numbers, Op::sum, rank.native());
    EXPECT_EQ(rank.get(numbers)[10], 33);
    work.wait();
  });
  machine.refuses_exports = false;
  machine.refuses_opens = false;
}

}  // namespace

std::vector<Role*> roles() {
  return {};
}

}  // namespace rondo::test
