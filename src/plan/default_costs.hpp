#pragma once

#include <cstdint>
#include <string_view>

#include "rondo/simulate.hpp"

namespace rondo {

/// What links cost where nobody has measured: plain constants for every class of paths, between
/// processes over TCP, unless `transport` is "shm", "shm+tcp", or "inproc" between threads.
CostTable default_costs(std::string_view transport);

/// Through shared memory, messages up to so long of a publication are written once: there is room
/// for them on hosts of a few ranks.
inline constexpr std::uint64_t shared_publication_bytes = 256 << 10;

/// Whether the table says anything of links.
bool has_links(const CostTable& costs);
/// Whether it says anything of devices.
bool has_devices(const CostTable& costs);
/// Of a file that is to take the place of what would be measured: one without links is refused.
Result<CostTable> parse_costs_file(std::string_view text);
/// The costs where they are known, else those above.
CostTable costs_or_default(const CostTable& costs, std::string_view transport);

}  // namespace rondo
