#pragma once

// What the parts of discovery hand to each other.

#include <string>
#include <string_view>
#include <vector>

#include "rondo/topology.hpp"

namespace rondo {

/// A machine, and what only this instance of it has.
struct Sighting {
  Machine machine;
  std::vector<std::string> gpu_uuids;  ///< as in Host
};

/// Looking takes milliseconds. What was seen stays true for the same process and later ones while
/// this text is the same: system, namespaces, list of devices. Empty where hwloc was told to look
/// elsewhere by its own environment variables.
std::string discovery_fingerprint();

/// What discover_topology() found, with what may have changed since: where this process may run.
Topology with_present_binding(Topology own);

/// From hwloc; Error{unsupported} in builds without it.
Result<Sighting> see_with_hwloc();
Result<Sighting> see_hwloc_xml(const std::string& xml);

/// The text of /proc/cpuinfo. Without one, `pus` are all there is.
Machine machine_of_cpuinfo(std::string_view text, std::vector<int> pus);

}  // namespace rondo
