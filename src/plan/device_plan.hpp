#pragma once

// Which schedule ranks follow that reach each other's device memory. There are no messages that
// could be slow to begin, and every step that waits for a peer costs more than a kernel: so all
// go straight from whoever has something to whoever takes it. On one device it is the traffic of
// its memory alone that takes time, which these have least of.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "rondo/schedule.hpp"

namespace rondo {

/// Ranks that such a schedule serves: as many as a kernel has sources.
inline constexpr int most_device_ranks = 64;

/// How steps of ranks wait for each other.
enum class Ordering : std::uint8_t {
  streams,  ///< streams write words and wait for them, and hold no multiprocessor meanwhile
  kernels,  ///< a kernel carries out all steps of a rank, and looks at words until they are written
};

/// Of "auto", nothing. `known_orderings`: all that can be said.
std::optional<Ordering> parse_ordering(std::string_view text);
std::string_view name(std::optional<Ordering> ordering);
inline constexpr std::array<std::string_view, 3> known_orderings = {"auto", "streams", "kernels"};

/// What suits two ranks. Processes that share a device have it in turns: a kernel that waits for
/// another process would use up its time.
Ordering ordering_for(bool same_process, bool same_device);

/// Thread blocks of a kernel that waits, at most: more are not needed to fill the links of a
/// device.
inline constexpr int most_slices = 32;

/// Up to here calls are exchanged in packets, where kernels wait, if nothing else was asked for:
/// bytes from a rank to another one. They are twice as many on their way, but nothing is copied
/// before, and nobody meets. To be set by a measurement.
inline constexpr std::size_t usual_packet_bytes = std::size_t{16} << 10;
inline constexpr std::size_t most_packet_bytes = std::size_t{1} << 20;

/// What was asked for, alike on all ranks.
struct DeviceWishes {
  std::optional<Ordering> ordering = {};  ///< nothing: as suits the ranks
  std::size_t packet_bytes = usual_packet_bytes;
};

/// Whether collectives of this kind go from device to device at all.
bool has_device_plan(Collective collective);

/// `bytes` of the vector. `shares_device`: all ranks are on one device.
Plan device_plan(Collective collective, int ranks, int root, std::size_t bytes, bool shares_device);

}  // namespace rondo
