#pragma once

// Which links of a topology a message between two ranks crosses, and how fast these are.
//
//   inside a host   the way out of the sender's port of that class, the way in of the receiver's
//   between hosts   NIC out; uplinks of the sender's groups, from the narrowest to the first that
//                   both hosts share; as many downlinks; NIC in
//   dragonfly       groups of the widest level have a link to each other one instead of an uplink,
//                   unless messages are spread over all of these
//   rail-optimised  a narrowest group has a switch for each NIC of its hosts: NIC i hangs on rail i
//
// In a folded world, where r stands for all ranks r + k·period, a link stands for its images too:
// every image of a message crosses images of its links, so that each link carries the same.

#include <map>
#include <string>
#include <vector>

#include "check/max_min.hpp"
#include "rondo/simulate.hpp"

namespace rondo {

enum class LinkKind : std::uint8_t {
  port_out,
  port_in,
  nic_out,
  nic_in,
  uplink,
  downlink,
  global,  ///< between two groups of a dragonfly
};

class LinkMap {
 public:
  /// Both outlive the map. Classes and ports of the model say how fast ports and NICs are.
  LinkMap(const Topology& topology, const CostModel& model, Routing routing);

  /// Ranks that differ by a multiple of `period` are images of each other from now on; forgets all
  /// links. With as many as there are ranks, each stands for itself.
  void fold_by(int period);
  int images() const { return model_.ranks / period_; }

  /// The links that messages cross, each once; links of no cost are left out.
  std::vector<LinkId> path(int from, int to);

  /// In bytes a second, by LinkId; grows with each path that is asked for.
  const std::vector<double>& capacity() const { return capacity_; }

  std::string kind(LinkId link) const;  ///< "NIC out", "rack uplink"
  std::string name(LinkId link) const;  ///< "NIC 2 of host 5", "rack 1"

 private:
  struct Key {
    LinkKind kind = LinkKind::port_out;
    int level = 0;  // of an uplink; class of a port
    int index = 0;  // of the rank, host, group, or the group where a global link begins
    int other = 0;  // rail of the group; the distance to the group where a global link ends
    friend auto operator<=>(const Key&, const Key&) = default;
  };
  struct HostPorts {
    int fastest_class = 0;   // of links to other hosts
    std::vector<int> ports;  // ascending: the NICs in use
  };

  void place_hosts();
  const HostPorts& ports_of(int host);
  int fastest_class_of(int host) const;
  int rail_of(int rank);
  bool has_rails() const { return topology_.network.kind == NetworkKind::rail_optimised; }
  const Rank& rank(int index) const { return topology_.ranks[static_cast<std::size_t>(index)]; }
  const Host& host_of(int index) const {
    return topology_.hosts[static_cast<std::size_t>(rank(index).host)];
  }
  int group_of(int rank, std::size_t level) const {
    return group_of_host_[level][static_cast<std::size_t>(host_index(rank))];
  }
  int host_index(int rank) const { return this->rank(rank).host; }

  double nic_speed(int host, int rail);
  double sendable(std::size_t level, int group);
  void add_nic(LinkKind kind, int rank, std::vector<LinkId>& path);
  void add_port(LinkKind kind, int rank, int link_class, std::vector<LinkId>& path);
  void add_group(LinkKind kind, int rank, std::size_t level, std::vector<LinkId>& path);
  void add_global(int from, int to, std::vector<LinkId>& path);
  void add(const Key& key, double bytes_per_s, std::vector<LinkId>& path);

  const Topology& topology_;
  const CostModel& model_;
  const Routing routing_;
  int period_;
  std::vector<std::vector<int>> ranks_of_host_;
  std::vector<std::vector<int>> group_of_host_;  // per level: counted over the whole network
  std::vector<std::vector<std::vector<int>>> hosts_of_group_;  // per level and group
  std::map<int, HostPorts> host_ports_;
  std::map<int, int> fastest_class_of_machine_;
  std::map<std::pair<std::size_t, int>, double> sendable_;
  std::map<Key, LinkId> known_;
  std::vector<Key> keys_;
  std::vector<double> capacity_;
};

/// r → r + period maps topology and model on themselves; 0 where there is no such period, or none
/// that was looked for: one host, or one group of the widest level.
int network_period(const Topology& topology, const CostModel& model);

}  // namespace rondo
