// One value for one world: the canonical form, and hashes of it.

#include <algorithm>
#include <iomanip>
#include <map>
#include <numeric>
#include <sstream>
#include <tuple>

#include "topology/text.hpp"

namespace rondo {

namespace {

// The 64-bit hash of Fowler, Noll and Vo (1a): simple, and the same everywhere.
std::uint64_t hash_of(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (const char c : text) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  }
  return hash;
}

// The new index of each old one, when `order` lists the old ones.
std::vector<int> positions(const std::vector<int>& order) {
  std::vector<int> position(order.size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    position[static_cast<std::size_t>(order[i])] = static_cast<int>(i);
  }
  return position;
}

void order_hosts(Topology& topology) {
  std::vector<std::size_t> lowest(topology.hosts.size(), topology.ranks.size());
  for (std::size_t i = topology.ranks.size(); i > 0; --i) {
    lowest[static_cast<std::size_t>(topology.ranks[i - 1].host)] = i - 1;
  }
  std::vector<int> order(topology.hosts.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](int left, int right) {
    const auto a = static_cast<std::size_t>(left);
    const auto b = static_cast<std::size_t>(right);
    return std::tie(lowest[a], topology.hosts[a]) < std::tie(lowest[b], topology.hosts[b]);
  });
  std::vector<Host> hosts;
  for (const int index : order) hosts.push_back(topology.hosts[static_cast<std::size_t>(index)]);
  const std::vector<int> position = positions(order);
  for (Rank& rank : topology.ranks) rank.host = position[static_cast<std::size_t>(rank.host)];
  topology.hosts = std::move(hosts);
}

// Groups are counted inside their parent, by first appearance.
void number_groups(Topology& topology) {
  std::map<std::vector<int>, int> numbers;         // of a group, by its old path
  std::map<std::vector<int>, int> members_so_far;  // of a parent
  for (Host& host : topology.hosts) {
    std::vector<int> path;
    for (int& group : host.groups) {
      int& members = members_so_far[path];
      path.push_back(group);
      const auto [entry, is_new] = numbers.try_emplace(path, members);
      if (is_new) ++members;
      group = entry->second;
    }
  }
}

void order_machines(Topology& topology) {
  std::map<Machine, int> numbers;
  for (const Host& host : topology.hosts) {
    numbers.try_emplace(topology.machines[static_cast<std::size_t>(host.machine)], 0);
  }
  int next = 0;
  for (auto& [machine, number] : numbers) number = next++;
  for (Host& host : topology.hosts) {
    host.machine = numbers.at(topology.machines[static_cast<std::size_t>(host.machine)]);
  }
  topology.machines.clear();
  for (const auto& [machine, number] : numbers) topology.machines.push_back(machine);
}

}  // namespace

Topology canonical(Topology topology) {
  for (Host& host : topology.hosts) {
    const auto is_unknown = [](const std::string& uuid) { return uuid == "-"; };
    if (std::all_of(host.gpu_uuids.begin(), host.gpu_uuids.end(), is_unknown)) {
      host.gpu_uuids.clear();
    }
  }
  order_machines(topology);
  order_hosts(topology);
  number_groups(topology);
  return topology;
}

Topology subset(const Topology& topology, std::span<const int> ranks) {
  Topology part{topology.network, topology.machines, {}, {}};
  std::vector<int> new_host(topology.hosts.size(), unknown);
  for (const int rank : ranks) {
    Rank member = topology.ranks.at(static_cast<std::size_t>(rank));
    const auto old = static_cast<std::size_t>(member.host);
    if (new_host[old] == unknown) {
      new_host[old] = static_cast<int>(part.hosts.size());
      part.hosts.push_back(topology.hosts[old]);
    }
    member.host = new_host[old];
    part.ranks.push_back(std::move(member));
  }
  return canonical(std::move(part));
}

std::string hash_word(std::string_view text) {
  std::ostringstream word;
  word << std::hex << std::setfill('0') << std::setw(16) << hash_of(text);
  return word.str();
}

std::uint64_t hash(const Machine& machine) {
  return hash_of(to_text(machine));
}

std::uint64_t hash(const Topology& topology) {
  return hash_of(to_text(topology));
}

}  // namespace rondo
