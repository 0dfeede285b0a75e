// Made-up machines: from numbers to a topology.

#include "topology/synthetic.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <map>

#include "base/text.hpp"
#include "topology/text.hpp"

namespace rondo {

namespace {

std::string address(int bus, int slot) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%04x:%02x:%02x.%x", bus >> 8, bus & 0xff, slot & 0x1f,
                slot >> 5);
  return text.data();
}

std::string host_bridge(int bus) {
  return address(bus, 0).substr(0, 7);
}

// Buses of one NUMA node, or of one switch, lie together.
constexpr int buses_each = 160;

// Devices sit at the ports of a PCIe switch, or of the host bridge of their NUMA node.
Device plugged_in(const HostShape& shape, int index, int count, std::map<int, int>& ports) {
  const int numas = shape.packages * shape.numas;
  const int sites = shape.switches > 0 ? shape.switches : numas;
  const int site = index * sites / count;
  const int bus = 1 + site * buses_each;
  const int port = ports[site]++;
  Device device;
  device.numa = site * numas / sites;
  device.package = device.numa / shape.numas;
  device.pci_mbytes_per_s = shape.pci_mbytes_per_s;
  device.via = {host_bridge(bus)};
  if (shape.switches > 0) {
    device.via.push_back(address(bus, 0));
    device.via.push_back(address(bus + 1, 0));
  }
  device.via.push_back(address(bus + 2, port));
  device.pci = address(bus + 3 + port, 0);
  return device;
}

void add_cores(Machine& machine, const HostShape& shape) {
  const int cores = shape.packages * shape.numas * shape.l3s * shape.cores;
  for (int i = 0; i < cores; ++i) {
    Core core;
    core.l2 = i;
    core.l3 = i / shape.cores;
    core.numa = core.l3 / shape.l3s;
    core.package = core.numa / shape.numas;
    // As Linux counts: first one hardware thread of every core.
    for (int thread = 0; thread < shape.pus; ++thread) core.pus.push_back(i + thread * cores);
    machine.cores.push_back(std::move(core));
  }
}

// Links between two GPUs of a DGX-1 with V100s: six at each GPU.
constexpr std::array<std::array<int, 8>, 8> cube_mesh_links = {{
    {0, 1, 1, 2, 2, 0, 0, 0},
    {1, 0, 2, 1, 0, 2, 0, 0},
    {1, 2, 0, 2, 0, 0, 1, 0},
    {2, 1, 2, 0, 0, 0, 0, 1},
    {2, 0, 0, 0, 0, 1, 1, 2},
    {0, 2, 0, 0, 1, 0, 2, 1},
    {0, 0, 1, 0, 1, 2, 0, 2},
    {0, 0, 0, 1, 2, 1, 2, 0},
}};

void add_links(Machine& machine, const HostShape& shape) {
  if (shape.links == GpuLinks::none || shape.gpus < 2) return;
  Matrix matrix{"NVLinkBandwidth", true, {}, {}};
  for (int i = 0; i < shape.gpus; ++i) {
    matrix.objects.push_back({ObjectKind::gpu, i});
    for (int j = 0; j < shape.gpus; ++j) {
      int links = i != j ? 1 : 0;
      if (shape.links == GpuLinks::cube_mesh) {
        links = cube_mesh_links.at(static_cast<std::size_t>(i)).at(static_cast<std::size_t>(j));
      }
      matrix.values.push_back(static_cast<std::uint64_t>(links) * shape.link_mbytes_per_s);
    }
  }
  machine.matrices.push_back(std::move(matrix));
}

Machine make_machine(const HostShape& shape) {
  Machine machine;
  machine.cores_known = true;
  machine.devices_known = true;
  add_cores(machine, shape);
  std::map<int, int> ports;
  for (int i = 0; i < shape.gpus; ++i) {
    Device gpu = plugged_in(shape, i, shape.gpus, ports);
    gpu.names = {concat("gpu", i)};
    gpu.model = shape.gpu_model;
    machine.gpus.push_back(std::move(gpu));
  }
  for (int i = 0; i < shape.nics; ++i) {
    Device nic = plugged_in(shape, i, shape.nics, ports);
    nic.names = {concat("nic", i)};
    nic.speed_mbits_per_s = shape.nic_mbits_per_s;
    machine.nics.push_back(std::move(nic));
  }
  add_links(machine, shape);
  return machine;
}

template <class Belongs>
Rank rank_on(const Machine& machine, Belongs belongs) {
  Rank rank;
  for (std::size_t i = 0; i < machine.cores.size(); ++i) {
    const Core& core = machine.cores[i];
    if (!belongs(static_cast<int>(i), core)) continue;
    rank.pus.insert(rank.pus.end(), core.pus.begin(), core.pus.end());
  }
  std::sort(rank.pus.begin(), rank.pus.end());
  return rank;
}

// `count` ranks, each on its share of the cores; on one core, in turns, when they are too many.
std::vector<Rank> spread(const Machine& machine, int count) {
  const int cores = static_cast<int>(machine.cores.size());
  std::vector<Rank> ranks;
  for (int i = 0; i < count; ++i) {
    const int begin = count > cores ? i % cores : i * cores / count;
    const int end = count > cores ? begin + 1 : (i + 1) * cores / count;
    ranks.push_back(
        rank_on(machine, [&](int index, const Core&) { return begin <= index && index < end; }));
  }
  return ranks;
}

std::vector<Rank> ranks_of_host(const SyntheticSpec& spec, const Machine& machine) {
  const HostShape& shape = spec.host;
  std::vector<Rank> ranks;
  switch (spec.rank_per) {
    case RankPer::host:
      return spread(machine, 1);
    case RankPer::package:
      return spread(machine, shape.packages);
    case RankPer::numa:
      return spread(machine, shape.packages * shape.numas);
    case RankPer::core:
      return spread(machine, static_cast<int>(machine.cores.size()));
    case RankPer::count:
      return spread(machine, spec.ranks);
    case RankPer::pu:
      for (const Core& core : machine.cores) {
        for (const int pu : core.pus) ranks.push_back({0, {pu}, unknown});
      }
      return ranks;
    case RankPer::automatic:
    case RankPer::gpu:
      break;
  }
  if (shape.gpus == 0) return spread(machine, static_cast<int>(machine.cores.size()));
  for (int gpu = 0; gpu < shape.gpus; ++gpu) {
    const int numa = machine.gpus[static_cast<std::size_t>(gpu)].numa;
    Rank rank = rank_on(machine, [&](int, const Core& core) { return core.numa == numa; });
    rank.gpu = gpu;
    ranks.push_back(std::move(rank));
  }
  return ranks;
}

Network make_network(const SyntheticSpec& spec) {
  Network network;
  network.kind = spec.hosts > 1 ? spec.network : NetworkKind::flat;
  if (network.kind == NetworkKind::fat_tree || network.kind == NetworkKind::rail_optimised) {
    if (spec.groups_of_group > 0) network.levels.push_back({"pod", 100});
    network.levels.push_back({"rack", spec.uplink_percent});
  } else if (network.kind == NetworkKind::dragonfly) {
    network.levels = {{"group", spec.uplink_percent}, {"switch", 100}};
  }
  return network;
}

std::vector<int> groups_of_host(const SyntheticSpec& spec, const Network& network, int host) {
  if (network.levels.empty()) return {};
  const int narrow = host / spec.hosts_of_group;
  if (network.levels.size() == 1) return {narrow};
  return {narrow / spec.groups_of_group, narrow % spec.groups_of_group};
}

}  // namespace

Topology make_synthetic(const SyntheticSpec& spec) {
  Topology topology;
  topology.network = make_network(spec);
  topology.machines.push_back(make_machine(spec.host));
  const std::vector<Rank> ranks = ranks_of_host(spec, topology.machines.front());
  for (int host = 0; host < spec.hosts; ++host) {
    topology.hosts.push_back(
        {concat("synthetic-", host), 0, groups_of_host(spec, topology.network, host), {}});
    for (Rank rank : ranks) {
      rank.host = host;
      topology.ranks.push_back(std::move(rank));
    }
  }
  return canonical(std::move(topology));
}

Result<Topology> synthetic_topology(std::string_view description) {
  const Result<SyntheticSpec> spec = parse_synthetic(description);
  if (!spec) return spec.error();
  return make_synthetic(spec.value());
}

}  // namespace rondo
