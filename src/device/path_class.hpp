#pragma once

// What lies between the devices of ranks that are on one host: pure functions of what all ranks
// have told each other, so that all of them come to the same.
//
// The classes are those of rondo/topology.hpp. Of two ranks on one device it is `self` where one
// process has both, which then uses all pointers as they are, else `same_gpu`. Of two devices it is
// `nvlink`, or how far they are apart in the tree of PCI, as `pix` or `sys`; `host` where that
// cannot be seen.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "device/peer_cache.hpp"
#include "device/runtime.hpp"
#include "rondo/topology.hpp"

namespace rondo {

/// The process of a rank, and its device. Plain values, to be sent.
struct DeviceSeat {
  ProcessName process;
  std::array<std::uint8_t, 16> uuid = {};
  std::array<char, 32> pci = {};  ///< ends with a zero

  static DeviceSeat of(ProcessName process, const DeviceInfo& device);
};

class DevicePaths {
 public:
  DevicePaths() = default;
  /// `links` has a row for each rank: what its runtime says of its device and that of each rank.
  /// One answer is enough, since a device may be hidden from some.
  DevicePaths(std::vector<DeviceSeat> seats, std::span<const DeviceLink> links,
              const Machine& machine);

  int ranks() const { return static_cast<int>(seats_.size()); }
  /// Of a rank and itself: `self`.
  PathClass between(int rank, int other) const { return paths_[place(rank, other)]; }
  /// Of all pairs, by rank and other rank.
  const std::vector<PathClass>& by_rows() const { return paths_; }
  /// Each uses the memory of the other by raw pointer.
  bool is_same_process(int rank, int other) const;
  bool is_same_device(int rank, int other) const;
  bool share_one_device() const;
  /// By rank: devices are counted from 0, in the order of the lowest ranks on them.
  std::vector<int> devices() const;

 private:
  std::size_t place(int rank, int other) const {
    return static_cast<std::size_t>(rank) * seats_.size() + static_cast<std::size_t>(other);
  }
  const DeviceSeat& seat(int rank) const { return seats_[static_cast<std::size_t>(rank)]; }

  std::vector<DeviceSeat> seats_;
  std::vector<PathClass> paths_;
};

/// A line for each rank, with the class of its path to every rank, in the words of `rondo topo`.
std::string to_text(const DevicePaths& paths);
/// The same for programs: [["X","NVL"],["NVL","X"]].
std::string to_json(const DevicePaths& paths);

}  // namespace rondo
