// Costs of links that nobody has measured: what their data sheets say, and usual latencies.

#include <algorithm>

#include "base/text.hpp"
#include "check/nic_ports.hpp"
#include "rondo/simulate.hpp"

namespace rondo {

namespace {

constexpr double us = 1e-6;
constexpr double gb_per_s = 1e9;
constexpr std::uint64_t window = 4 << 20;

// Two-sided messages over memory, a GPU's links, PCIe, and a network that bypasses the kernel.
constexpr LinkCost memory{.latency_s = 0.3 * us,
                          .overhead_s = 0.1 * us,
                          .byte_s = 1 / (10 * gb_per_s),
                          .window_bytes = window};
constexpr double gpu_latency_s = 1.5 * us;
constexpr double pci_latency_s = 2.5 * us;
constexpr double rack_latency_s = 2 * us;
constexpr double network_latency_s = 3 * us;
constexpr double overhead_s = 0.5 * us;
// What a GPU's memory moves, read or written, and its kernels take.
constexpr double gpu_memory_bytes_per_s = 3000 * gb_per_s;
constexpr double kernel_s = 3 * us;
constexpr double time_slice_s = 20 * us;

LinkCost wire(double bytes_per_s, double latency_s) {
  return {.latency_s = latency_s,
          .overhead_s = overhead_s,
          .byte_s = 1 / bytes_per_s,
          .window_bytes = window};
}

void set(CostTable& costs, PathClass path, const LinkCost& link) {
  costs.links[static_cast<std::size_t>(path)] = link;
}

void set_device(CostTable& costs, PathClass path, double bytes_per_s, double latency_s) {
  costs.devices[static_cast<std::size_t>(path)] = {latency_s, 1 / bytes_per_s, 1 / bytes_per_s};
}

// In bytes a second; 0 where no NIC's speed is known.
double slowest_nic(const Topology& topology) {
  double slowest = 0;
  for (const Machine& machine : topology.machines) {
    for (const Device& nic : machine.nics) {
      const double speed = nic.speed_mbits_per_s * 1e6 / 8;
      if (speed > 0 && (slowest == 0 || speed < slowest)) slowest = speed;
    }
  }
  return slowest;
}

// Of the widest link in matrices of this name, in bytes a second.
double widest_link(const Topology& topology, std::string_view name) {
  std::uint64_t widest = 0;
  for (const Machine& machine : topology.machines) {
    for (const Matrix& matrix : machine.matrices) {
      if (matrix.name != name) continue;
      for (const std::uint64_t value : matrix.values) widest = std::max(widest, value);
    }
  }
  return static_cast<double>(widest) * 1e6;
}

double slowest_gpu_slot(const Topology& topology) {
  double slowest = 0;
  for (const Machine& machine : topology.machines) {
    for (const Device& gpu : machine.gpus) {
      const double speed = gpu.pci_mbytes_per_s * 1e6;
      if (speed > 0 && (slowest == 0 || speed < slowest)) slowest = speed;
    }
  }
  return slowest;
}

}  // namespace

Result<CostTable> nominal_costs(const Topology& topology) {
  const bool on_gpus = std::any_of(topology.ranks.begin(), topology.ranks.end(),
                                   [](const Rank& rank) { return rank.gpu != unknown; });
  CostTable costs;
  costs.reduce_byte_s = costs.copy_byte_s = 1 / ((on_gpus ? 1500 : 20) * gb_per_s);
  set(costs, PathClass::package, memory);
  set(costs, PathClass::host, memory);
  if (const double nvlink = widest_link(topology, "NVLinkBandwidth"); nvlink > 0) {
    set(costs, PathClass::nvlink, wire(nvlink, gpu_latency_s));
    if (on_gpus) set_device(costs, PathClass::nvlink, nvlink, gpu_latency_s);
  }
  if (const double xgmi = widest_link(topology, "XGMIBandwidth"); xgmi > 0) {
    set(costs, PathClass::xgmi, wire(xgmi, gpu_latency_s));
    if (on_gpus) set_device(costs, PathClass::xgmi, xgmi, gpu_latency_s);
  }
  if (const double slot = slowest_gpu_slot(topology); on_gpus && slot > 0) {
    set(costs, PathClass::sys, wire(slot, pci_latency_s));
    set_device(costs, PathClass::sys, slot, pci_latency_s);
  }
  if (on_gpus) {
    costs.kernel_s = kernel_s;
    set_device(costs, PathClass::self, gpu_memory_bytes_per_s, gpu_latency_s);
    set_device(costs, PathClass::same_gpu, gpu_memory_bytes_per_s, time_slice_s);
  }
  if (topology.hosts.size() < 2) return costs;
  // A model slows the links of slower NICs down by itself, where it knows all of them.
  const std::uint32_t fastest = fastest_nic_mbits_per_s(topology);
  const double nic = fastest > 0 ? fastest * 1e6 / 8 : slowest_nic(topology);
  if (nic == 0) {
    return Error(ErrorCode::invalid_argument,
                 concat("nothing says how fast the network between the ", topology.hosts.size(),
                        " hosts is: the topology has no NIC with a known speed"));
  }
  set(costs, PathClass::rack, wire(nic, rack_latency_s));
  set(costs, PathClass::network, wire(nic, network_latency_s));
  return costs;
}

}  // namespace rondo
