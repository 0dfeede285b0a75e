#pragma once

// Where ranks are inside their host, and their order depth-first through it.

#include <string>
#include <vector>

#include "rondo/topology.hpp"

namespace rondo {

/// From the outside to the inside.
struct Seat {
  Place place;
  std::vector<std::string> via = {};  ///< PCI bridges to its GPU
};
Seat seat_of(const Topology& topology, const Rank& rank);

/// Brings ranks of one host into an order that goes through each package, NUMA node and cache once.
void sort_by_seat(const Topology& topology, std::vector<int>& ranks);

}  // namespace rondo
