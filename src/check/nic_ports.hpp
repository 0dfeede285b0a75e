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

/// Which of the ports of a host a member uses: port i begins with member ⌊i · members / ports⌋, as
/// rings and stripes do (RingOrder, two_level), so that each of these has a port of its own.
int port_of_member(int member, int members, int ports);

/// Counted over the whole world. The NICs of a host are dealt out evenly to its ranks, in the order
/// of their seats; a host of which none is known has one.
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
