#pragma once

// Which NIC a rank sends through.

#include <cstdint>
#include <vector>

#include "rondo/topology.hpp"

namespace rondo {

struct NicPort {
  int number = 0;                       ///< counted over the whole world
  std::uint32_t speed_mbits_per_s = 0;  ///< 0 if unknown
};

std::vector<std::vector<int>> ranks_by_host(const Topology& topology);
const Machine& machine_of(const Topology& topology, std::size_t host);

/// By rank. The NICs of a host are dealt out evenly to its ranks, in their order; a host of which
/// none is known has one.
std::vector<NicPort> place_nics(const Topology& topology);

/// The speed of the fastest one where all speeds are known, else 0.
std::uint32_t fastest_of_known(const std::vector<NicPort>& ports);

}  // namespace rondo
