#pragma once

// How steps of ranks wait for each other that reach each other's device memory.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "rondo/schedule.hpp"
#include "rondo/types.hpp"

namespace rondo {

enum class DeviceOrder : std::uint8_t {
  streams,  ///< streams write words and wait for them, and hold no multiprocessor meanwhile
  kernels,  ///< a kernel carries out all steps of a rank, and looks at words until they are written
};

/// Of "auto", nothing.
std::optional<DeviceOrder> parse_device_order(std::string_view text);
std::string_view name(std::optional<DeviceOrder> order);
inline constexpr std::array<std::string_view, 3> known_device_orders = {"auto", "streams",
                                                                        "kernels"};

/// What suits two ranks. Processes that share a device have it in turns: a kernel that waits for
/// another process would use up its time.
DeviceOrder order_for(bool same_process, bool same_device);

/// Thread blocks of a kernel that waits, at most: more are not needed to fill the links of a
/// device.
inline constexpr int most_slices = 32;

/// Up to here calls are exchanged in packets, where kernels wait, if nothing else was asked for:
/// bytes from a rank to another one. They are twice as many on their way, but nothing is copied
/// before, and nobody meets. To be set by a measurement.
inline constexpr std::size_t usual_packet_bytes = std::size_t{16} << 10;
inline constexpr std::size_t most_packet_bytes = std::size_t{1} << 20;

/// Whether a call has the same bits in packets, where sums are made in the order of the ranks, as
/// by this plan.
bool has_bits_of_packets(const Plan& plan, DType dtype, Op op);

/// What was asked for, alike on all ranks.
struct DeviceWishes {
  std::optional<DeviceOrder> order = {};  ///< nothing: as suits the ranks
  std::size_t packet_bytes = usual_packet_bytes;
};

}  // namespace rondo
