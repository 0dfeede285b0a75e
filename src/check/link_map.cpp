#include "check/link_map.hpp"

#include <algorithm>
#include <cmath>

#include "base/text.hpp"
#include "check/cost_model.hpp"

namespace rondo {

LinkMap::LinkMap(const Topology& topology, const CostModel& model, Routing routing)
    : topology_(topology), model_(model), routing_(routing), period_(model.ranks) {
  place_hosts();
}

void LinkMap::place_hosts() {
  ranks_of_host_.resize(topology_.hosts.size());
  for (std::size_t i = 0; i < topology_.ranks.size(); ++i) {
    ranks_of_host_[static_cast<std::size_t>(topology_.ranks[i].host)].push_back(
        static_cast<int>(i));
  }
  const std::size_t levels = topology_.network.levels.size();
  group_of_host_.resize(levels);
  hosts_of_group_.resize(levels);
  for (std::size_t level = 0; level < levels; ++level) {
    std::map<std::vector<int>, int> numbers;  // by the path from the widest group
    for (std::size_t host = 0; host < topology_.hosts.size(); ++host) {
      const std::vector<int>& groups = topology_.hosts[host].groups;
      const auto end = groups.begin() + static_cast<std::ptrdiff_t>(level) + 1;
      const int next = static_cast<int>(numbers.size());
      const int number = numbers.try_emplace(std::vector(groups.begin(), end), next).first->second;
      group_of_host_[level].push_back(number);
      if (number == static_cast<int>(hosts_of_group_[level].size())) {
        hosts_of_group_[level].emplace_back();
      }
      hosts_of_group_[level][static_cast<std::size_t>(number)].push_back(static_cast<int>(host));
    }
  }
}

void LinkMap::fold_by(int period) {
  period_ = period;
  known_.clear();
  keys_.clear();
  capacity_.clear();
}

// Hosts that are built alike have NICs that are alike.
int LinkMap::fastest_class_of(int host) const {
  const int here = ranks_of_host_[static_cast<std::size_t>(host)].front();
  int fastest = -1;
  for (std::size_t other = 0; other < ranks_of_host_.size(); ++other) {
    if (static_cast<int>(other) == host || ranks_of_host_[other].empty()) continue;
    const int found = model_.class_of(here, ranks_of_host_[other].front());
    const auto byte_s = [&](int c) { return model_.links[static_cast<std::size_t>(c)].byte_s; };
    if (fastest < 0 || byte_s(found) < byte_s(fastest)) fastest = found;
  }
  return fastest;
}

const LinkMap::HostPorts& LinkMap::ports_of(int host) {
  const auto [entry, is_new] = host_ports_.try_emplace(host);
  HostPorts& found = entry->second;
  if (!is_new) return found;
  const int machine = topology_.hosts[static_cast<std::size_t>(host)].machine;
  const auto [fastest, unseen] = fastest_class_of_machine_.try_emplace(machine, 0);
  if (unseen) fastest->second = fastest_class_of(host);
  found.fastest_class = fastest->second;
  for (const int rank : ranks_of_host_[static_cast<std::size_t>(host)]) {
    found.ports.push_back(model_.port_of(rank, found.fastest_class));
  }
  std::sort(found.ports.begin(), found.ports.end());
  found.ports.erase(std::unique(found.ports.begin(), found.ports.end()), found.ports.end());
  return found;
}

int LinkMap::rail_of(int rank) {
  const HostPorts& host = ports_of(host_index(rank));
  const int port = model_.port_of(rank, host.fastest_class);
  return static_cast<int>(std::lower_bound(host.ports.begin(), host.ports.end(), port) -
                          host.ports.begin());
}

double LinkMap::nic_speed(int host, int rail) {
  const HostPorts& found = ports_of(host);
  return 1 / byte_s_at(model_, found.fastest_class, found.ports[static_cast<std::size_t>(rail)]);
}

// What the hosts of a group can send: with all their NICs, or with one each where these hang on
// switches of their own.
double LinkMap::sendable(std::size_t level, int group) {
  const auto [entry, is_new] = sendable_.try_emplace({level, group}, 0);
  if (!is_new) return entry->second;
  const bool one_rail = has_rails() && level + 1 == topology_.network.levels.size();
  for (const int host : hosts_of_group_[level][static_cast<std::size_t>(group)]) {
    if (ranks_of_host_[static_cast<std::size_t>(host)].empty()) continue;
    const int machine = topology_.hosts[static_cast<std::size_t>(host)].machine;
    const std::size_t built_in = topology_.machines[static_cast<std::size_t>(machine)].nics.size();
    const std::size_t in_use = ports_of(host).ports.size();
    const std::size_t nics = one_rail ? 1 : std::max(built_in, in_use);
    // Those that no rank uses are as fast as the last that one does.
    for (std::size_t nic = 0; nic < nics; ++nic) {
      entry->second += nic_speed(host, static_cast<int>(std::min(nic, in_use - 1)));
    }
  }
  return entry->second;
}

void LinkMap::add(const Key& key, double bytes_per_s, std::vector<LinkId>& path) {
  if (!std::isfinite(bytes_per_s)) return;  // a wire that costs nothing is never full
  const auto [entry, is_new] = known_.try_emplace(key, static_cast<LinkId>(keys_.size()));
  if (is_new) {
    keys_.push_back(key);
    capacity_.push_back(bytes_per_s);
  }
  path.push_back(entry->second);
}

void LinkMap::add_port(LinkKind kind, int rank, int link_class, std::vector<LinkId>& path) {
  const double byte_s = byte_s_at(model_, link_class, model_.port_of(rank, link_class));
  add({kind, link_class, rank, 0}, 1 / byte_s, path);
}

void LinkMap::add_nic(LinkKind kind, int rank, std::vector<LinkId>& path) {
  const int host = host_index(rank);
  const int rail = rail_of(rank);
  add({kind, 0, host, rail}, nic_speed(host, rail), path);
}

void LinkMap::add_group(LinkKind kind, int rank, std::size_t level, std::vector<LinkId>& path) {
  const int group = group_of(rank, level);
  const bool rails = has_rails() && level + 1 == topology_.network.levels.size();
  const double share = topology_.network.levels[level].uplink_percent / 100.0;
  add({kind, static_cast<int>(level), group, rails ? rail_of(rank) : 0},
      share * sendable(level, group), path);
}

// A group has as many links as there are other groups; they share what it can send out.
void LinkMap::add_global(int from, int to, std::vector<LinkId>& path) {
  const int groups = static_cast<int>(hosts_of_group_[0].size());
  const int begin = group_of(from % period_, 0);
  const int distance = (group_of(to, 0) - group_of(from, 0) + groups) % groups;
  const double share = topology_.network.levels[0].uplink_percent / 100.0;
  add({LinkKind::global, 0, begin, distance}, share * sendable(0, begin) / (groups - 1), path);
}

std::vector<LinkId> LinkMap::path(int from, int to) {
  std::vector<LinkId> path;
  const int sender = from % period_;
  const int receiver = to % period_;
  if (host_index(from) == host_index(to)) {
    const int link_class = model_.class_of(from, to);
    add_port(LinkKind::port_out, sender, link_class, path);
    add_port(LinkKind::port_in, receiver, link_class, path);
    return path;
  }
  const std::size_t levels = topology_.network.levels.size();
  std::size_t shared = 0;  // levels on which both are in one group
  while (shared < levels && group_of(from, shared) == group_of(to, shared)) ++shared;
  const bool other_rail = has_rails() && shared == levels && rail_of(sender) != rail_of(receiver);
  if (other_rail) --shared;  // by way of the switches above the rails
  const bool direct = topology_.network.kind == NetworkKind::dragonfly && shared == 0 &&
                      routing_ == Routing::minimal;
  const std::size_t widest = direct ? 1 : shared;
  add_nic(LinkKind::nic_out, sender, path);
  for (std::size_t level = levels; level > widest; --level) {
    add_group(LinkKind::uplink, sender, level - 1, path);
  }
  if (direct) add_global(from, to, path);
  for (std::size_t level = widest; level < levels; ++level) {
    add_group(LinkKind::downlink, receiver, level, path);
  }
  add_nic(LinkKind::nic_in, receiver, path);
  return path;
}

std::string LinkMap::kind(LinkId link) const {
  const Key& key = keys_[link];
  const auto level = [&] {
    return topology_.network.levels[static_cast<std::size_t>(key.level)].name;
  };
  switch (key.kind) {
    case LinkKind::port_out:
      return "port out";
    case LinkKind::port_in:
      return "port in";
    case LinkKind::nic_out:
      return "NIC out";
    case LinkKind::nic_in:
      return "NIC in";
    case LinkKind::uplink:
      return concat(level(), " uplink");
    case LinkKind::downlink:
      return concat(level(), " downlink");
    case LinkKind::global:
      break;
  }
  return "global link";
}

std::string LinkMap::name(LinkId link) const {
  const Key& key = keys_[link];
  switch (key.kind) {
    case LinkKind::port_out:
    case LinkKind::port_in:
      return concat("port ", key.index);
    case LinkKind::nic_out:
    case LinkKind::nic_in:
      return concat("NIC ", key.other, " of host ", key.index);
    case LinkKind::uplink:
    case LinkKind::downlink: {
      const auto level = static_cast<std::size_t>(key.level);
      const std::string group = concat(topology_.network.levels[level].name, " ", key.index);
      const bool rails = has_rails() && level + 1 == topology_.network.levels.size();
      return rails ? concat("rail ", key.other, " of ", group) : group;
    }
    case LinkKind::global:
      break;
  }
  const std::string& noun = topology_.network.levels.front().name;
  const int groups = static_cast<int>(hosts_of_group_[0].size());
  return concat(noun, " ", key.index, " to ", noun, " ", (key.index + key.other) % groups);
}

namespace {

// Ranks of the first unit: a group of the widest level, or a host where there are no groups.
int ranks_of_first_unit(const Topology& topology) {
  const auto unit = [&](const Rank& rank) {
    const Host& host = topology.hosts[static_cast<std::size_t>(rank.host)];
    return host.groups.empty() ? rank.host : host.groups.front();
  };
  const auto begin = topology.ranks.begin();
  const auto end = std::find_if(begin, topology.ranks.end(), [&](const Rank& rank) {
    return unit(rank) != unit(topology.ranks.front());
  });
  return static_cast<int>(end - begin);
}

}  // namespace

int network_period(const Topology& topology, const CostModel& model) {
  const int ranks = static_cast<int>(topology.ranks.size());
  const int period = ranks_of_first_unit(topology);
  if (model.period == 0 || period % model.period != 0 || ranks % period != 0) return 0;
  const int units = ranks / period;
  const int hosts = static_cast<int>(topology.hosts.size());
  for (int i = 0; i < ranks; ++i) {
    const Rank& rank = topology.ranks[static_cast<std::size_t>(i)];
    const Rank& image = topology.ranks[static_cast<std::size_t>((i + period) % ranks)];
    const Host& host = topology.hosts[static_cast<std::size_t>(rank.host)];
    const Host& other = topology.hosts[static_cast<std::size_t>(image.host)];
    if (hosts % units != 0 || image.host != (rank.host + hosts / units) % hosts) return 0;
    if (host.machine != other.machine) return 0;
    for (std::size_t level = 0; level < host.groups.size(); ++level) {
      const int moved = level == 0 ? (host.groups[0] + 1) % units : host.groups[level];
      if (other.groups[level] != moved) return 0;
    }
  }
  return period;
}

}  // namespace rondo
