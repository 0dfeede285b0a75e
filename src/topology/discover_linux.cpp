// What the running system says of itself: which host this is, where this process may run, and what
// hwloc does not tell about devices.

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/text.hpp"
#include "topology/discover.hpp"
#include "topology/text.hpp"

namespace rondo {

namespace {

std::string read_text(const std::string& path) {
  std::ifstream file(path);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

std::string first_word(const std::string& text) {
  return text.substr(0, text.find_first_of(" \t\r\n"));
}

std::string link_target(const std::string& path) {
  std::array<char, 64> target{};
  const ssize_t length = ::readlink(path.c_str(), target.data(), target.size());
  return length > 0 ? std::string(target.data(), static_cast<std::size_t>(length)) : "";
}

// In order, each followed by a blank.
std::string names_in(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    names.push_back(entry.path().filename());
  }
  std::sort(names.begin(), names.end());
  std::string text;
  for (const std::string& name : names) text += name + " ";
  return text;
}

// The boot id tells systems apart. Processes in other namespaces of the same system reach each
// other's memory and network as badly as another host's, so they count as one.
std::string host_id() {
  std::string id = first_word(read_text("/proc/sys/kernel/random/boot_id"));
  if (id.empty()) return "";
  for (const char* space : {"ipc", "net", "pid"}) {
    id += link_target(concat("/proc/self/ns/", space));
  }
  return hash_word(id);
}

std::vector<int> allowed_pus() {
  constexpr int most = max_pu + 1;
  std::vector<int> pus;
  cpu_set_t* mask = CPU_ALLOC(most);
  const std::size_t bytes = CPU_ALLOC_SIZE(most);
  if (mask != nullptr && ::sched_getaffinity(0, bytes, mask) == 0) {
    for (int pu = 0; pu < most; ++pu) {
      if (CPU_ISSET_S(pu, bytes, mask)) pus.push_back(pu);
    }
  }
  CPU_FREE(mask);
  return pus;
}

bool is_virtual(const Device& nic) {
  if (!nic.pci.empty()) return false;
  std::error_code error;
  for (const std::string& name : nic.names) {
    for (const char* kind : {"net", "infiniband"}) {
      const std::string path = concat("/sys/class/", kind, "/", name, "/device");
      if (std::filesystem::exists(path, error)) return false;
    }
  }
  return true;
}

// "10000" of an Ethernet device (-1 if its link is down), "200 Gb/sec (4X HDR)" of InfiniBand.
std::uint32_t nic_speed(const Device& nic) {
  double fastest = 0;
  for (const std::string& name : nic.names) {
    double speed = 0;
    std::ifstream ethernet(concat("/sys/class/net/", name, "/speed"));
    if (ethernet >> speed) fastest = std::max(fastest, speed);
    for (int port = 1; port <= 4; ++port) {
      std::ifstream rate(concat("/sys/class/infiniband/", name, "/ports/", port, "/rate"));
      if (rate >> speed) fastest = std::max(fastest, speed * 1000);
    }
  }
  constexpr double most = 4e9;  // some drivers say 4294967295 for "unknown"
  return fastest < most ? static_cast<std::uint32_t>(fastest) : 0;
}

// NVIDIA's driver names its GPUs in /proc, so no library of its own is needed.
std::string nvidia_uuid(const std::string& pci) {
  const std::string path = concat("/proc/driver/nvidia/gpus/", pci, "/information");
  const std::string text = read_text(path);
  const std::size_t begin = text.find("GPU-");
  if (pci.empty() || begin == text.npos) return "";
  const std::string uuid = first_word(text.substr(begin));
  return uuid.find('?') == uuid.npos ? as_word(uuid) : "";  // '?' while the GPU sleeps
}

void complete(Sighting& sighting) {
  Machine& machine = sighting.machine;
  std::erase_if(machine.nics, is_virtual);
  for (Device& nic : machine.nics) nic.speed_mbits_per_s = nic_speed(nic);
  sighting.gpu_uuids.resize(machine.gpus.size(), "-");
  for (std::size_t i = 0; i < machine.gpus.size(); ++i) {
    if (sighting.gpu_uuids[i] != "-") continue;
    const std::string uuid = nvidia_uuid(machine.gpus[i].pci);
    if (!uuid.empty()) sighting.gpu_uuids[i] = uuid;
  }
}

bool has_pu(const Machine& machine, int pu) {
  for (const Core& core : machine.cores) {
    if (std::find(core.pus.begin(), core.pus.end(), pu) != core.pus.end()) return true;
  }
  return false;
}

}  // namespace

std::string discovery_fingerprint() {
  for (char** variable = environ; *variable != nullptr; ++variable) {
    if (std::string_view(*variable).starts_with("HWLOC_")) return "";
  }
  std::string seen = concat(RONDO_HWLOC, " ", host_id(), link_target("/proc/self/ns/mnt"));
  for (const char* file : {"/sys/devices/system/cpu/present", "/sys/devices/system/cpu/online",
                           "/sys/devices/system/node/online", "/proc/driver/nvidia/version"}) {
    seen += concat("\n", read_text(file));
  }
  for (const char* folder : {"/sys/bus/pci/devices", "/sys/class/net", "/sys/class/infiniband",
                             "/proc/driver/nvidia/gpus"}) {
    seen += concat("\n", names_in(folder));
  }
  return hash_word(seen);
}

Topology with_present_binding(Topology own) {
  std::vector<int>& pus = own.ranks.at(0).pus;
  pus = allowed_pus();
  std::erase_if(pus, [&](int pu) { return !has_pu(own.machines.at(0), pu); });
  return own;
}

Result<Topology> discover_topology() {
  Result<Sighting> seen = see_with_hwloc();
  Sighting sighting;
  if (seen && !seen.value().machine.cores.empty()) {
    sighting = std::move(seen).value();
    complete(sighting);
  } else {
    sighting.machine = machine_of_cpuinfo(read_text("/proc/cpuinfo"), allowed_pus());
  }
  Topology topology;
  topology.machines.push_back(std::move(sighting.machine));
  topology.hosts.push_back({host_id(), 0, {}, std::move(sighting.gpu_uuids)});
  topology.ranks.resize(1);
  return with_present_binding(canonical(std::move(topology)));
}

Result<Topology> import_hwloc_xml(const std::string& xml) {
  Result<Sighting> seen = see_hwloc_xml(xml);
  if (!seen) return seen.error();
  Topology topology;
  topology.machines.push_back(std::move(seen.value().machine));
  topology.hosts.push_back({"", 0, {}, std::move(seen.value().gpu_uuids)});
  return canonical(std::move(topology));
}

}  // namespace rondo
