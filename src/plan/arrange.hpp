#pragma once

// Where ranks should stand in a ring and in groups, and how long its segments should be: pure
// functions of what is known about the machines.

#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "rondo/schedule.hpp"
#include "rondo/topology.hpp"

namespace rondo {

/// The ranks in an order in which neighbours are near each other, hosts as groups.
///
/// The order goes depth-first through network groups, hosts, packages, NUMA nodes and caches, so
/// that a ring enters and leaves each of them once; those with the lowest rank come first. Where a
/// host links its GPUs (NVLink, xGMI), the ring inside it is the one whose slowest link is fastest.
/// Fails with invalid_argument where the topology has no ranks.
///
/// With `byte_s`, what a byte takes at the port of each host, hosts of the same group of the
/// network come in the order of that: a ring cannot avoid a slow host, but two slow ones beside
/// each other spoil three of its links, not four, and weights can spare these more.
Result<std::shared_ptr<const Arrangement>> arrangement_for(const Topology& topology,
                                                           std::span<const double> byte_s = {});

/// How long the segments of a ring allreduce should be, in the order of positions, where the link
/// from position i to i + 1 has the rate rates[i] (of any unit, above 0). That link carries
/// everything twice except what segments i and i + 1 save: 2n - S_i - S_{i+1}. The weights make the
/// time of the slowest link as short as can be. A host that is slow as a whole slows the links in
/// front of it and behind it.
std::vector<std::uint32_t> ring_weights(std::span<const double> rates);

/// The time of the slowest link in a ring allreduce with these weights, in units of the time that
/// the whole vector takes on a link of rate 1.
double ring_time(std::span<const double> rates, std::span<const std::uint32_t> weights);

/// How many hops from rank to rank lead from one part of the world to another.
struct Crossings {
  std::vector<int> network;  ///< groups of the network, for each level, the widest first
  int hosts = 0;
  int packages = 0;
  int numas = 0;
  int l3s = 0;
  friend bool operator==(const Crossings&, const Crossings&) = default;
};

Crossings crossings(std::span<const std::pair<int, int>> hops, const Topology& topology);
/// Of the ring that visits the ranks in this order and returns to the first.
Crossings crossings(std::span<const int> order, const Topology& topology);
/// The fewest that any ring over all ranks has, for each kind of part by itself.
Crossings fewest_crossings(const Topology& topology);

}  // namespace rondo
