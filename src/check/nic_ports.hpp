#pragma once

// Which NIC a rank sends through, and what that carries.

#include <cstdint>
#include <span>
#include <vector>

#include "rondo/simulate.hpp"

namespace rondo {

/// Paths that leave a host.
bool is_between_hosts(PathClass path);

std::vector<std::vector<int>> ranks_by_host(const Topology& topology);
const Machine& machine_of(const Topology& topology, std::size_t host);

/// Counted over the whole world. The NICs of a host are dealt out evenly to its ranks, in their
/// order; a host of which none is known has one.
struct NicPorts {
  std::vector<int> of_rank;
  std::vector<double> byte_s;  ///< by port; 0: as fast as links are
};

/// The rate of a port is what `costs` says of its host. Where it says nothing, and all speeds are
/// known, the port is as much slower than `fastest_byte_s` as its NIC is than the fastest.
NicPorts place_nics(const Topology& topology, std::span<const PortCost> costs,
                    double fastest_byte_s);

/// The speed of the fastest NIC that ranks use, where all their speeds are known, else 0.
std::uint32_t fastest_nic_mbits_per_s(const Topology& topology);

}  // namespace rondo
