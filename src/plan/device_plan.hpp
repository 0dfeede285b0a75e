#pragma once

// Which schedule ranks follow that reach each other's device memory. There are no messages that
// could be slow to begin, and every step that waits for a peer costs more than a kernel: so all
// go straight from whoever has something to whoever takes it. On one device it is the traffic of
// its memory alone that takes time, which these have least of.

#include <cstddef>

#include "rondo/schedule.hpp"

namespace rondo {

/// Ranks that such a schedule serves: as many as a kernel has sources.
inline constexpr int most_device_ranks = 64;

/// Whether collectives of this kind go from device to device at all.
bool has_device_plan(Collective collective);

/// `bytes` of the vector. `shares_device`: all ranks are on one device.
Plan device_plan(Collective collective, int ranks, int root, std::size_t bytes, bool shares_device);

}  // namespace rondo
