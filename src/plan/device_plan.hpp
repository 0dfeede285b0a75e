#pragma once

// Ranks that reach each other's device memory, as the planner sees them. Nothing is sent among
// them: kernels read and write what others have, and wait for words. So it is not messages that
// tell how long a schedule takes, but the kernels that come of it
// (execute/device/stream_clock.hpp), and candidates differ in them only.

#include <cstddef>
#include <span>
#include <vector>

#include "plan/candidates.hpp"
#include "rondo/schedule.hpp"
#include "rondo/simulate.hpp"

namespace rondo {

/// Ranks that such a schedule serves: as many as a kernel has sources.
inline constexpr int most_device_ranks = 64;

/// Whether collectives of this kind go from device to device at all.
bool has_device_plan(Collective collective);

struct DeviceModel {
  int ranks = 1;
  std::vector<int> device_of;    ///< by rank, counted from 0
  std::vector<PathClass> paths;  ///< by rank and other rank, in rows; of a rank and itself `self`
  double kernel_s = 0;           ///< before a kernel does anything
  std::vector<DeviceCost> costs = {};  ///< by class

  PathClass between(int rank, int other) const {
    return paths[static_cast<std::size_t>(rank) * static_cast<std::size_t>(ranks) +
                 static_cast<std::size_t>(other)];
  }
  const DeviceCost& cost(PathClass path) const { return costs[static_cast<std::size_t>(path)]; }
};

/// A class without costs has those of the nearest one that is farther, else nearer. Errors:
/// invalid_argument where the table has none, or some that make no sense.
Result<DeviceModel> make_device_model(std::vector<int> device_of, std::vector<PathClass> paths,
                                      const CostTable& costs);

/// The same of ranks that a topology places on the GPUs of one host. Errors: also invalid_argument
/// where it does not.
Result<DeviceModel> make_device_model(const Topology& topology, const CostTable& costs);

/// By rank: which ranks no class farther than this one keeps apart, counted from 0.
std::vector<int> groups_within(const DeviceModel& model, PathClass farthest);

/// Ranks in an order in which neighbours are near each other; as groups those near one processor,
/// else those below a PCIe switch, else those that NVLink connects, else those on one device.
Site device_site(const DeviceModel& model);

}  // namespace rondo
