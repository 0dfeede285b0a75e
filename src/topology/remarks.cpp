// What is missing in a topology, in sentences.

#include <algorithm>
#include <map>
#include <set>

#include "base/text.hpp"
#include "topology/text.hpp"

namespace rondo {

namespace {

std::string counted(std::string_view one, std::string_view several, std::span<const int> numbers) {
  return concat(numbers.size() == 1 ? one : several, " ", ranges(numbers));
}

void remark_machine(const Machine& machine, const std::string& where,
                    std::vector<std::string>& remarks) {
  const auto none = [&](int Core::*part) {
    return std::all_of(machine.cores.begin(), machine.cores.end(),
                       [&](const Core& core) { return core.*part == unknown; });
  };
  std::string parts;
  const auto miss = [&](bool is_missing, std::string_view part) {
    if (is_missing) parts += concat(parts.empty() ? "" : ", ", part);
  };
  miss(!machine.cores_known, "which PUs form a core");
  miss(none(&Core::package), "packages");
  miss(none(&Core::numa), "NUMA nodes");
  miss(none(&Core::l3) && none(&Core::l2), "caches");
  if (!parts.empty()) remarks.push_back(concat(where, ": not known: ", parts));
  if (!machine.devices_known) {
    remarks.push_back(
        concat(where,
               ": no PCI device is seen (it is hidden, or rondo was built without hwloc), so "
               "GPUs and NICs may be missing"));
  }
  const bool linked = std::any_of(machine.matrices.begin(), machine.matrices.end(),
                                  [](const Matrix& matrix) { return matrix.bandwidth; });
  if (machine.gpus.size() > 1 && !linked) {
    remarks.push_back(concat(where, ": links between GPUs (NVLink, XGMI) are unknown"));
  }
  std::vector<int> slow;
  for (std::size_t i = 0; i < machine.nics.size(); ++i) {
    if (machine.nics[i].speed_mbits_per_s == 0) slow.push_back(static_cast<int>(i));
  }
  if (!slow.empty()) {
    remarks.push_back(
        concat(where, ": the speed of ", counted("NIC", "NICs", slow), " is unknown"));
  }
}

struct RankLists {
  std::vector<int> no_binding;
  std::vector<int> unbound;
  std::vector<int> sharing;
};

RankLists sort_ranks(const Topology& topology) {
  RankLists lists;
  std::map<std::pair<int, int>, std::vector<int>> on_core;  // ranks bound to one core
  std::set<int> sharing;
  for (std::size_t i = 0; i < topology.ranks.size(); ++i) {
    const Rank& rank = topology.ranks[i];
    const auto host = static_cast<std::size_t>(rank.host);
    const auto index = static_cast<std::size_t>(topology.hosts[host].machine);
    const Machine& machine = topology.machines[index];
    std::size_t pus = 0;
    for (const Core& core : machine.cores) pus += core.pus.size();
    const int number = static_cast<int>(i);
    if (rank.pus.empty()) {
      lists.no_binding.push_back(number);
    } else if (rank.pus.size() == pus && machine.cores.size() > 1) {
      lists.unbound.push_back(number);
    } else if (const int core = place_of(machine, rank.pus).core; core != unknown) {
      std::vector<int>& there = on_core[{rank.host, core}];
      there.push_back(number);
      if (there.size() > 1) sharing.insert(there.begin(), there.end());
    }
  }
  lists.sharing.assign(sharing.begin(), sharing.end());
  return lists;
}

}  // namespace

std::vector<std::string> remarks(const Topology& topology) {
  std::vector<std::string> remarks;
  std::map<int, std::vector<int>> hosts_of;
  std::vector<int> nameless;
  for (std::size_t i = 0; i < topology.hosts.size(); ++i) {
    hosts_of[topology.hosts[i].machine].push_back(static_cast<int>(i));
    if (topology.hosts[i].id.empty()) nameless.push_back(static_cast<int>(i));
  }
  for (const auto& [machine, hosts] : hosts_of) {
    remark_machine(topology.machines[static_cast<std::size_t>(machine)],
                   counted("host", "hosts", hosts), remarks);
  }
  if (topology.hosts.size() > 1 && !nameless.empty()) {
    remarks.push_back(concat("the identity of ", counted("host", "hosts", nameless),
                             " is unknown; some may be one and the same"));
  }
  if (topology.hosts.size() > 1 && topology.network.kind == NetworkKind::not_known) {
    remarks.push_back("the network between the hosts is unknown");
  }
  const RankLists ranks = sort_ranks(topology);
  if (!ranks.no_binding.empty()) {
    remarks.push_back(
        concat("where ", counted("rank", "ranks", ranks.no_binding), " may run is unknown"));
  }
  if (!ranks.unbound.empty()) {
    remarks.push_back(concat(counted("rank", "ranks", ranks.unbound),
                             ranks.unbound.size() == 1 ? " is" : " are",
                             " not bound and may run on every PU of the host"));
  }
  if (!ranks.sharing.empty()) {
    remarks.push_back(concat(counted("rank", "ranks", ranks.sharing),
                             " share cores with each other; one rank a core is faster"));
  }
  return remarks;
}

}  // namespace rondo
