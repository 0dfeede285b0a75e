#include "check/nic_ports.hpp"

#include <algorithm>

namespace rondo {

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

std::vector<NicPort> place_nics(const Topology& topology) {
  std::vector<NicPort> port_of(topology.ranks.size());
  const std::vector<std::vector<int>> ranks = ranks_by_host(topology);
  int first = 0;
  for (std::size_t host = 0; host < ranks.size(); ++host) {
    const std::vector<Device>& nics = machine_of(topology, host).nics;
    const std::size_t ports = std::min(std::max<std::size_t>(nics.size(), 1),
                                       std::max<std::size_t>(ranks[host].size(), 1));
    for (std::size_t i = 0; i < ranks[host].size(); ++i) {
      const std::size_t nic = i * ports / ranks[host].size();
      port_of[static_cast<std::size_t>(ranks[host][i])] = {
          first + static_cast<int>(nic), nics.empty() ? 0 : nics[nic].speed_mbits_per_s};
    }
    first += static_cast<int>(ports);
  }
  return port_of;
}

std::uint32_t fastest_of_known(const std::vector<NicPort>& ports) {
  std::uint32_t fastest = 0;
  for (const NicPort& port : ports) {
    if (port.speed_mbits_per_s == 0) return 0;
    fastest = std::max(fastest, port.speed_mbits_per_s);
  }
  return fastest;
}

}  // namespace rondo
