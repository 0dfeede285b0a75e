#include "device/path_class.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace rondo::test {
namespace {

constexpr DeviceLink hidden = DeviceLink::not_known;

// A rank of that process, on that device of a machine.
DeviceSeat seat(std::uint64_t process, int device, const Machine& machine = {}) {
  DeviceInfo info;
  info.uuid[0] = static_cast<std::uint8_t>(device + 1);
  const auto index = static_cast<std::size_t>(device);
  info.pci = index < machine.gpus.size() ? machine.gpus[index].pci : "";
  return DeviceSeat::of({.host = 1, .process = process}, info);
}

std::vector<DeviceLink> links(std::size_t ranks, DeviceLink all = hidden) {
  return std::vector<DeviceLink>(ranks * ranks, all);
}

Machine machine_of(const char* words) {
  return synthetic_topology(words).value().machines.at(0);
}

TEST(DevicePaths, OfOneDeviceAreOfOneProcessOrOfTwo) {
  const DevicePaths paths({seat(1, 0), seat(1, 0), seat(2, 0)}, links(3), {});
  EXPECT_EQ(paths.between(0, 0), PathClass::self);
  EXPECT_EQ(paths.between(0, 1), PathClass::self);
  EXPECT_EQ(paths.between(1, 2), PathClass::same_gpu);
  EXPECT_TRUE(paths.is_same_process(0, 1));
  EXPECT_FALSE(paths.is_same_process(1, 2));
  EXPECT_TRUE(paths.share_one_device());
  EXPECT_EQ(paths.devices(), (std::vector<int>{0, 0, 0}));
}

TEST(DevicePaths, EqualProcessNumbersOfOtherHostsAreOtherProcesses) {
  std::vector<DeviceSeat> seats = {seat(1, 0), seat(1, 0)};
  seats[1].process.host = 2;
  EXPECT_FALSE(DevicePaths(seats, links(2), {}).is_same_process(0, 1));
}

TEST(DevicePaths, OfOneProcessWithTwoDevicesLeadFromDeviceToDevice) {
  const DevicePaths paths({seat(1, 0), seat(1, 1)}, links(2, DeviceLink::nvlink), {});
  EXPECT_EQ(paths.between(0, 1), PathClass::nvlink);
  EXPECT_TRUE(paths.is_same_process(0, 1));
  EXPECT_FALSE(paths.share_one_device());
}

// The device of rank 0 is hidden from rank 1.
TEST(DevicePaths, TakeTheAnswerOfWhoeverSeesBothDevices) {
  std::vector<DeviceLink> said = links(2);
  said[1] = DeviceLink::nvlink;  // of rank 0
  const DevicePaths paths({seat(1, 0), seat(2, 1)}, said, {});
  EXPECT_EQ(paths.between(0, 1), PathClass::nvlink);
  EXPECT_EQ(paths.between(1, 0), PathClass::nvlink);
}

TEST(DevicePaths, OverPcieAreAsFarAsTheTreeSays) {
  const Machine machine = machine_of("dgx-1");
  ASSERT_EQ(machine.gpus.size(), 8u);
  std::vector<DeviceSeat> seats;
  for (int device = 0; device < 8; ++device) {
    seats.push_back(seat(static_cast<std::uint64_t>(device), device, machine));
  }
  const DevicePaths paths(seats, links(8, DeviceLink::pcie), machine);
  for (int rank = 0; rank < 8; ++rank) {
    for (int other = 0; other < 8; ++other) {
      EXPECT_EQ(paths.between(rank, other),
                path_class(machine, {ObjectKind::gpu, rank}, {ObjectKind::gpu, other}));
    }
  }
  EXPECT_EQ(paths.devices(), (std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7}));
}

// Drivers write addresses in their own ways.
TEST(DevicePaths, KnowADeviceByItsAddress) {
  Machine machine = machine_of("1 hosts x 4 cores, 2 gpus");
  machine.gpus[0].pci = "0000:3b:00.0";
  machine.gpus[1].pci = "0000:af:00.0";
  std::vector<DeviceSeat> seats = {seat(1, 0, machine), seat(2, 1, machine)};
  const PathClass expected = path_class(machine, {ObjectKind::gpu, 0}, {ObjectKind::gpu, 1});
  ASSERT_NE(expected, PathClass::host);
  EXPECT_EQ(DevicePaths(seats, links(2), machine).between(0, 1), expected);
  const std::string other_way = "00000000:3B:00.0";
  std::copy(other_way.begin(), other_way.end(), seats[0].pci.begin());
  EXPECT_EQ(DevicePaths(seats, links(2), machine).between(0, 1), expected);
  EXPECT_EQ(DevicePaths(seats, links(2), {}).between(0, 1), PathClass::host);
}

TEST(DevicePaths, AreShownInTheWordsOfTopologies) {
  const DevicePaths paths({seat(1, 0), seat(2, 0), seat(2, 1)}, links(3), {});
  EXPECT_EQ(to_text(paths), "rank 0: X GPU HOST\nrank 1: GPU X HOST\nrank 2: HOST HOST X\n");
  EXPECT_EQ(to_json(paths), R"([["X","GPU","HOST"],["GPU","X","HOST"],["HOST","HOST","X"]])");
}

}  // namespace
}  // namespace rondo::test
