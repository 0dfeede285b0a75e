#include "plan/arrange.hpp"

#include <algorithm>
#include <climits>
#include <map>
#include <set>
#include <tuple>

#include "plan/cycle.hpp"
#include "topology/seats.hpp"

namespace rondo {

namespace {

std::uint64_t rate_between(const Machine& machine, Object left, Object right) {
  std::uint64_t rate = 0;
  for (const Matrix& matrix : machine.matrices) {
    if (matrix.name != "NVLinkBandwidth" && matrix.name != "XGMIBandwidth") continue;
    const auto begin = matrix.objects.begin();
    const auto size = static_cast<std::ptrdiff_t>(matrix.objects.size());
    const auto i = std::find(begin, matrix.objects.end(), left) - begin;
    const auto j = std::find(begin, matrix.objects.end(), right) - begin;
    if (i == size || j == size) continue;
    const std::uint64_t there = matrix.values[static_cast<std::size_t>(i * size + j)];
    const std::uint64_t back = matrix.values[static_cast<std::size_t>(j * size + i)];
    rate = std::max(rate, there > 0 && back > 0 ? std::min(there, back) : std::max(there, back));
  }
  return rate;
}

// By the rate of the link; without one, and between equals, by nearness.
std::vector<std::int64_t> link_strengths(const Machine& machine, const std::vector<int>& gpus,
                                         bool& any_link) {
  std::vector<std::int64_t> strengths;
  for (const int left : gpus) {
    for (const int right : gpus) {
      const Object from{ObjectKind::gpu, left};
      const Object to{ObjectKind::gpu, right};
      const std::uint64_t rate = left == right ? 0 : rate_between(machine, from, to);
      any_link = any_link || rate > 0;
      const int nearness = path_class_count - static_cast<int>(path_class(machine, from, to));
      strengths.push_back(static_cast<std::int64_t>(rate) * path_class_count + nearness);
    }
  }
  return strengths;
}

/// Rings over the GPUs of hosts; hosts that are built alike have the same.
class GpuRings {
 public:
  explicit GpuRings(const Topology& topology) : topology_(topology) {}

  void apply(int host, std::vector<int>& ranks) {
    std::vector<int> gpus;
    for (const int rank : ranks) {
      gpus.push_back(topology_.ranks[static_cast<std::size_t>(rank)].gpu);
      if (gpus.back() == unknown) return;
    }
    const std::vector<int>& cycle =
        cycle_of(topology_.hosts[static_cast<std::size_t>(host)].machine, gpus);
    std::vector<int> arranged;
    for (const int place : cycle) arranged.push_back(ranks[static_cast<std::size_t>(place)]);
    ranks = std::move(arranged);
  }

 private:
  const std::vector<int>& cycle_of(int machine_index, const std::vector<int>& gpus) {
    const auto [found, added] = cycles_.try_emplace({machine_index, gpus});
    if (!added) return found->second;
    const Machine& machine = topology_.machines[static_cast<std::size_t>(machine_index)];
    bool any_link = false;
    const auto strengths = link_strengths(machine, gpus, any_link);
    const int count = static_cast<int>(gpus.size());
    if (any_link) return found->second = strongest_cycle(count, strengths);
    for (int i = 0; i < count; ++i) found->second.push_back(i);
    return found->second;
  }

  const Topology& topology_;
  std::map<std::pair<int, std::vector<int>>, std::vector<int>> cycles_;
};

// Hosts with ranks, depth-first through the network: whatever holds the lowest rank comes first,
// of the hosts of a group the fastest, if that is known.
std::vector<int> host_order(const Topology& topology, const std::vector<std::vector<int>>& ranks_of,
                            std::span<const double> byte_s) {
  std::map<std::vector<int>, int> lowest;  // of each group of the network, named by its path
  for (std::size_t host = 0; host < ranks_of.size(); ++host) {
    if (ranks_of[host].empty()) continue;
    std::vector<int> path;
    for (const int group : topology.hosts[host].groups) {
      path.push_back(group);
      int& rank = lowest.try_emplace(path, INT_MAX).first->second;
      rank = std::min(rank, ranks_of[host].front());
    }
  }
  std::vector<std::tuple<std::vector<int>, double, int, int>> keys;
  for (std::size_t host = 0; host < ranks_of.size(); ++host) {
    if (ranks_of[host].empty()) continue;
    std::vector<int> path;
    std::vector<int> key;
    for (const int group : topology.hosts[host].groups) {
      path.push_back(group);
      key.push_back(lowest.at(path));
    }
    keys.emplace_back(std::move(key), byte_s.empty() ? 0 : byte_s[host], ranks_of[host].front(),
                      static_cast<int>(host));
  }
  std::sort(keys.begin(), keys.end());
  std::vector<int> hosts;
  for (const auto& key : keys) hosts.push_back(std::get<3>(key));
  return hosts;
}

std::vector<std::vector<int>> ranks_of_hosts(const Topology& topology) {
  std::vector<std::vector<int>> ranks(topology.hosts.size());
  for (std::size_t rank = 0; rank < topology.ranks.size(); ++rank) {
    ranks.at(static_cast<std::size_t>(topology.ranks[rank].host)).push_back(static_cast<int>(rank));
  }
  return ranks;
}

// The part of the world in which a rank is, at each level: named by its path from the outside.
using Path = std::vector<int>;

struct Parts {
  std::vector<Path> network;
  Path host;
  Path package;
  Path numa;
  Path l3;
};

Parts parts_of(const Topology& topology, int index) {
  const Rank& rank = topology.ranks.at(static_cast<std::size_t>(index));
  const Place place = seat_of(topology, rank).place;
  Parts parts;
  Path path;
  for (const int group : topology.hosts.at(static_cast<std::size_t>(rank.host)).groups) {
    path.push_back(group);
    parts.network.push_back(path);
  }
  parts.host = {rank.host};
  parts.package = {rank.host, place.package};
  parts.numa = {rank.host, place.numa};
  parts.l3 = {rank.host, place.package, place.numa, place.l3};
  return parts;
}

std::vector<Parts> parts_of_ranks(const Topology& topology) {
  std::vector<Parts> parts;
  for (std::size_t rank = 0; rank < topology.ranks.size(); ++rank) {
    parts.push_back(parts_of(topology, static_cast<int>(rank)));
  }
  return parts;
}

// Calls count(part) for each kind of part, and gathers what it returns.
template <class Count>
Crossings for_each_kind(const Topology& topology, Count count) {
  Crossings result;
  for (std::size_t level = 0; level < topology.network.levels.size(); ++level) {
    result.network.push_back(count([level](const Parts& parts) {
      return level < parts.network.size() ? parts.network[level] : Path{};
    }));
  }
  result.hosts = count([](const Parts& parts) { return parts.host; });
  result.packages = count([](const Parts& parts) { return parts.package; });
  result.numas = count([](const Parts& parts) { return parts.numa; });
  result.l3s = count([](const Parts& parts) { return parts.l3; });
  return result;
}

}  // namespace

Result<std::shared_ptr<const Arrangement>> arrangement_for(const Topology& topology,
                                                           std::span<const double> byte_s) {
  std::vector<std::vector<int>> ranks_of = ranks_of_hosts(topology);
  GpuRings rings(topology);
  std::vector<int> order;
  std::vector<int> groups;
  for (const int host : host_order(topology, ranks_of, byte_s)) {
    std::vector<int>& ranks = ranks_of[static_cast<std::size_t>(host)];
    sort_by_seat(topology, ranks);
    rings.apply(host, ranks);
    order.insert(order.end(), ranks.begin(), ranks.end());
    groups.push_back(static_cast<int>(ranks.size()));
  }
  return Arrangement::make(std::move(order), std::move(groups));
}

Crossings crossings(std::span<const std::pair<int, int>> hops, const Topology& topology) {
  const std::vector<Parts> parts = parts_of_ranks(topology);
  return for_each_kind(topology, [&](auto part_of) {
    return static_cast<int>(std::count_if(hops.begin(), hops.end(), [&](const auto& hop) {
      return part_of(parts[static_cast<std::size_t>(hop.first)]) !=
             part_of(parts[static_cast<std::size_t>(hop.second)]);
    }));
  });
}

Crossings crossings(std::span<const int> order, const Topology& topology) {
  std::vector<std::pair<int, int>> hops;
  for (std::size_t i = 0; i < order.size(); ++i) {
    hops.emplace_back(order[i], order[(i + 1) % order.size()]);
  }
  return crossings(hops, topology);
}

Crossings fewest_crossings(const Topology& topology) {
  const std::vector<Parts> parts = parts_of_ranks(topology);
  return for_each_kind(topology, [&](auto part_of) {
    std::set<Path> distinct;
    for (const Parts& part : parts) distinct.insert(part_of(part));
    return distinct.size() < 2 ? 0 : static_cast<int>(distinct.size());
  });
}

}  // namespace rondo
