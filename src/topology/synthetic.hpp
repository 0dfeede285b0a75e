#pragma once

// A description of made-up hosts in numbers: between its words and the topology.

#include <string_view>

#include "rondo/topology.hpp"

namespace rondo {

/// How the GPUs of a host are linked, beside PCIe.
enum class GpuLinks : std::uint8_t { none, all_to_all, cube_mesh };

struct HostShape {
  int packages = 1;
  int numas = 1;  ///< of each package; and so on
  int l3s = 1;
  int cores = 1;
  int pus = 1;
  int switches = 0;  ///< PCIe switches of the host; without any, devices sit at host bridges
  int gpus = 0;      ///< of the host
  int nics = 0;
  std::string_view gpu_model = "";
  GpuLinks links = GpuLinks::none;
  std::uint32_t link_mbytes_per_s = 0;
  std::uint32_t pci_mbytes_per_s = 15'754;
  std::uint32_t nic_mbits_per_s = 100'000;
};

/// automatic: one for each GPU, or for each core where there are no GPUs.
enum class RankPer : std::uint8_t { automatic, host, package, numa, core, pu, gpu, count };

struct SyntheticSpec {
  int hosts = 1;
  HostShape host;
  RankPer rank_per = RankPer::automatic;
  int ranks = 0;  ///< of each host, for RankPer::count
  NetworkKind network = NetworkKind::flat;
  int hosts_of_group = 0;    ///< of the narrowest groups: a rack, or a switch of a dragonfly
  int groups_of_group = 0;   ///< of the wider groups; 0 if there is one level only
  int uplink_percent = 100;  ///< of racks, or of the groups of a dragonfly
};

Result<SyntheticSpec> parse_synthetic(std::string_view description);

Topology make_synthetic(const SyntheticSpec& spec);

}  // namespace rondo
