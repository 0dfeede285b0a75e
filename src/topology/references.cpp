// That what refers to something refers to something that is there.

#include <algorithm>
#include <set>

#include "base/text.hpp"
#include "topology/text.hpp"

namespace rondo {

namespace {

Error wrong(const std::string& text) {
  return Error(ErrorCode::invalid_argument, text);
}

bool has_pu(const Machine& machine, int pu) {
  return std::any_of(machine.cores.begin(), machine.cores.end(), [&](const Core& core) {
    return std::binary_search(core.pus.begin(), core.pus.end(), pu);
  });
}

template <int Core::*part>
bool has(const Machine& machine, int index) {
  return std::any_of(machine.cores.begin(), machine.cores.end(),
                     [&](const Core& core) { return core.*part == index; });
}

bool exists(const Machine& machine, Object object) {
  if (object.index < 0) return false;
  const auto index = static_cast<std::size_t>(object.index);
  switch (object.kind) {
    case ObjectKind::pu:
      return has_pu(machine, object.index);
    case ObjectKind::core:
      return index < machine.cores.size();
    case ObjectKind::numa:
      return has<&Core::numa>(machine, object.index);
    case ObjectKind::package:
      return has<&Core::package>(machine, object.index);
    case ObjectKind::gpu:
      return index < machine.gpus.size();
    case ObjectKind::nic:
      return index < machine.nics.size();
  }
  return false;
}

Result<> check_hosts(const Topology& topology) {
  for (std::size_t i = 0; i < topology.hosts.size(); ++i) {
    const Host& host = topology.hosts[i];
    if (static_cast<std::size_t>(host.machine) >= topology.machines.size()) {
      return wrong(concat("host ", i, " is of machine ", host.machine, ", but there are ",
                          topology.machines.size()));
    }
    const std::size_t gpus = topology.machines[static_cast<std::size_t>(host.machine)].gpus.size();
    if (!host.gpu_uuids.empty() && host.gpu_uuids.size() != gpus) {
      return wrong(
          concat("host ", i, " has ", host.gpu_uuids.size(), " uuids for ", gpus, " GPUs"));
    }
    if (host.groups.size() != topology.network.levels.size()) {
      return wrong(concat("host ", i, " is in ", host.groups.size(),
                          " groups, but the network has ", topology.network.levels.size(),
                          " levels"));
    }
  }
  return {};
}

}  // namespace

Result<> check_references(const Machine& machine) {
  std::set<int> seen;
  for (const Core& core : machine.cores) {
    for (const int pu : core.pus) {
      if (!seen.insert(pu).second) return wrong(concat("PU ", pu, " belongs to two cores"));
    }
  }
  for (const Matrix& matrix : machine.matrices) {
    for (const Object& object : matrix.objects) {
      if (!exists(machine, object)) {
        return wrong(concat("the matrix ", matrix.name, " names ", to_text(object),
                            ", which the machine does not have"));
      }
    }
  }
  return {};
}

Result<> check_references(const Topology& topology) {
  for (std::size_t i = 0; i < topology.machines.size(); ++i) {
    if (Result<> sound = check_references(topology.machines[i]); !sound) {
      return sound.error().with_prefix(concat("machine ", i, ": "));
    }
  }
  if (Result<> sound = check_hosts(topology); !sound) return sound;
  for (std::size_t i = 0; i < topology.ranks.size(); ++i) {
    const Rank& rank = topology.ranks[i];
    if (static_cast<std::size_t>(rank.host) >= topology.hosts.size()) {
      return wrong(
          concat("rank ", i, " is on host ", rank.host, ", but there are ", topology.hosts.size()));
    }
    const int index = topology.hosts[static_cast<std::size_t>(rank.host)].machine;
    const Machine& machine = topology.machines[static_cast<std::size_t>(index)];
    for (const int pu : rank.pus) {
      if (!has_pu(machine, pu)) {
        return wrong(concat("rank ", i, " runs on PU ", pu, ", which its host does not have"));
      }
    }
    if (rank.gpu != unknown && !exists(machine, {ObjectKind::gpu, rank.gpu})) {
      return wrong(concat("rank ", i, " works with GPU ", rank.gpu, ", but its host has ",
                          machine.gpus.size()));
    }
  }
  return {};
}

}  // namespace rondo
