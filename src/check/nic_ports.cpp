#include "check/nic_ports.hpp"

#include <algorithm>
#include <map>
#include <string_view>

#include "topology/seats.hpp"

namespace rondo {

namespace {

// Those of one package after those of another, as ranks come by their seats.
std::vector<Device> by_place(std::vector<Device> nics) {
  std::stable_sort(nics.begin(), nics.end(), [](const Device& a, const Device& b) {
    return std::pair(a.package, a.numa) < std::pair(b.package, b.numa);
  });
  return nics;
}

// The speeds of the ports in use, by host; 0 where unknown.
std::vector<std::vector<std::uint32_t>> speeds_by_host(const Topology& topology,
                                                       const std::vector<std::vector<int>>& ranks) {
  std::vector<std::vector<std::uint32_t>> speeds;
  for (std::size_t host = 0; host < ranks.size(); ++host) {
    const std::vector<Device> nics = by_place(machine_of(topology, host).nics);
    const std::size_t ports = std::min(std::max<std::size_t>(nics.size(), 1), ranks[host].size());
    std::vector<std::uint32_t>& of_host = speeds.emplace_back(ports, 0);
    for (std::size_t i = 0; i < nics.size() && i < ports; ++i) {
      of_host[i] = nics[i].speed_mbits_per_s;
    }
  }
  return speeds;
}

std::uint32_t fastest_of(const std::vector<std::vector<std::uint32_t>>& speeds) {
  std::uint32_t fastest = 0;
  for (const std::vector<std::uint32_t>& of_host : speeds) {
    for (const std::uint32_t speed : of_host) {
      if (speed == 0) return 0;
      fastest = std::max(fastest, speed);
    }
  }
  return fastest;
}

}  // namespace

bool is_between_hosts(PathClass path) {
  return path == PathClass::rack || path == PathClass::network;
}

std::vector<std::vector<int>> ranks_by_host(const Topology& topology) {
  std::vector<std::vector<int>> ranks(topology.hosts.size());
  for (std::size_t i = 0; i < topology.ranks.size(); ++i) {
    ranks[static_cast<std::size_t>(topology.ranks[i].host)].push_back(static_cast<int>(i));
  }
  return ranks;
}

const Machine& machine_of(const Topology& topology, std::size_t host) {
  return topology.machines[static_cast<std::size_t>(topology.hosts[host].machine)];
}

NicPorts place_nics(const Topology& topology, std::span<const PortCost> costs,
                    double fastest_byte_s) {
  std::map<std::string_view, double> known;
  for (const PortCost& cost : costs) known[cost.host] = cost.byte_s;
  std::vector<std::vector<int>> ranks = ranks_by_host(topology);
  const std::vector<std::vector<std::uint32_t>> speeds = speeds_by_host(topology, ranks);
  const double fastest = fastest_of(speeds);
  // A host whose port could not be measured is no faster than the slowest that could.
  double unknown_byte_s = 0;
  for (const PortCost& cost : costs) unknown_byte_s = std::max(unknown_byte_s, cost.byte_s);
  NicPorts ports{.of_rank = std::vector<int>(topology.ranks.size()), .byte_s = {}};
  for (std::size_t host = 0; host < ranks.size(); ++host) {
    const std::size_t first = ports.byte_s.size();
    const auto own = known.find(topology.hosts[host].id);
    if (own != known.end()) {
      // Measured was what all of its ports together carry on the way that the network has for it.
      ports.byte_s.push_back(own->second);
    } else {
      for (const std::uint32_t speed : speeds[host]) {
        const double byte_s = fastest > 0 ? fastest_byte_s * fastest / speed : 0;
        ports.byte_s.push_back(fastest_byte_s > 0 ? byte_s : unknown_byte_s);
      }
    }
    const auto own_ports = static_cast<int>(ports.byte_s.size() - first);
    const auto own_ranks = static_cast<int>(ranks[host].size());
    sort_by_seat(topology, ranks[host]);
    for (std::size_t i = 0; i < ranks[host].size(); ++i) {
      const int port =
          static_cast<int>(first) + port_of_member(static_cast<int>(i), own_ranks, own_ports);
      ports.of_rank[static_cast<std::size_t>(ranks[host][i])] = port;
    }
  }
  return ports;
}

int port_of_member(int member, int members, int ports) {
  return static_cast<int>((std::int64_t{member + 1} * ports - 1) / members);
}

std::uint32_t fastest_nic_mbits_per_s(const Topology& topology) {
  return fastest_of(speeds_by_host(topology, ranks_by_host(topology)));
}

}  // namespace rondo
