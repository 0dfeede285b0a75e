#include "topology/seats.hpp"

#include <algorithm>
#include <map>
#include <tuple>

namespace rondo {

namespace {

const Machine& machine_of(const Topology& topology, const Rank& rank) {
  const Host& host = topology.hosts.at(static_cast<std::size_t>(rank.host));
  return topology.machines.at(static_cast<std::size_t>(host.machine));
}

// A machine may have several packages in a NUMA node, or several NUMA nodes in a package.
bool numa_holds_packages(const Machine& machine) {
  std::map<int, int> package_of;
  for (const Core& core : machine.cores) {
    if (core.numa == unknown) continue;
    const auto [known, added] = package_of.emplace(core.numa, core.package);
    if (!added && known->second != core.package) return true;
  }
  return false;
}

}  // namespace

Seat seat_of(const Topology& topology, const Rank& rank) {
  const Machine& machine = machine_of(topology, rank);
  if (rank.gpu == unknown) return {place_of(machine, rank.pus)};
  const Device& gpu = machine.gpus.at(static_cast<std::size_t>(rank.gpu));
  return {{.package = gpu.package, .numa = gpu.numa}, gpu.via};
}

void sort_by_seat(const Topology& topology, std::vector<int>& ranks) {
  if (ranks.size() < 2) return;
  using Key = std::tuple<int, int, int, int, std::vector<std::string>, int, int, int>;
  const auto rank_of = [&](int index) -> const Rank& {
    return topology.ranks[static_cast<std::size_t>(index)];
  };
  const bool numa_first = numa_holds_packages(machine_of(topology, rank_of(ranks.front())));
  std::vector<Key> keys;
  for (const int index : ranks) {
    const auto [place, via] = seat_of(topology, rank_of(index));
    const int outer = numa_first ? place.numa : place.package;
    const int inner = numa_first ? place.package : place.numa;
    keys.emplace_back(outer, inner, place.l3, place.l2, via, place.core, rank_of(index).gpu, index);
  }
  std::sort(keys.begin(), keys.end());
  std::transform(keys.begin(), keys.end(), ranks.begin(),
                 [](const Key& key) { return std::get<7>(key); });
}

}  // namespace rondo
