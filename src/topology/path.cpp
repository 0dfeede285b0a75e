// The classes of paths, from what two objects have in common.

#include <algorithm>
#include <array>

#include "base/invariant.hpp"
#include "topology/text.hpp"

namespace rondo {

namespace {

struct Words {
  std::string_view name;
  std::string_view meaning;
};
constexpr std::array<Words, path_class_count> words = {{
    {"X", "the same object"},
    {"CORE", "hardware threads of one core"},
    {"L2", "cores that share an L2 cache"},
    {"L3", "cores that share an L3 cache"},
    {"NUMA", "cores of one NUMA node"},
    {"PKG", "cores of one package"},
    {"GPU", "ranks that share a GPU"},
    {"NVL", "NVLink, direct or through switches"},
    {"XGMI", "AMD Infinity Fabric between GPUs"},
    {"PIX", "one PCIe switch at most"},
    {"PXB", "several PCIe switches, below one host bridge"},
    {"PHB", "a PCIe host bridge, inside one NUMA node"},
    {"NODE", "several PCIe host bridges of one NUMA node"},
    {"SYS", "the interconnect between NUMA nodes or packages"},
    {"HOST", "the same host; nothing closer is known"},
    {"RACK", "another host of the same rack or switch"},
    {"NET", "the network"},
}};

bool differ(int left, int right) {
  return left != unknown && right != unknown && left != right;
}
bool agree(int left, int right) {
  return left != unknown && left == right;
}

PathClass between_places(const Place& a, const Place& b) {
  if (agree(a.core, b.core)) return PathClass::core;
  if (agree(a.l2, b.l2)) return PathClass::l2;
  if (agree(a.l3, b.l3)) return PathClass::l3;
  if (differ(a.package, b.package)) return PathClass::sys;
  if (agree(a.numa, b.numa)) return PathClass::numa;
  if (agree(a.package, b.package)) return PathClass::package;
  return differ(a.numa, b.numa) ? PathClass::sys : PathClass::host;
}

// Of a device and something else, whose common NUMA node makes the path `near`.
PathClass by_locality(const Place& a, const Place& b, PathClass near) {
  if (differ(a.numa, b.numa) || differ(a.package, b.package)) return PathClass::sys;
  return agree(a.numa, b.numa) ? near : PathClass::host;
}

PathClass between_devices(const Device& a, const Device& b) {
  const auto [split, other] = std::mismatch(a.via.begin(), a.via.end(), b.via.begin(), b.via.end());
  const auto shared = split - a.via.begin();
  if (shared == 0) {
    return by_locality({a.package, a.numa}, {b.package, b.numa}, PathClass::node);
  }
  if (shared == 1) return PathClass::phb;
  const auto below = std::max(a.via.end() - split, b.via.end() - other);
  return below <= 1 ? PathClass::pix : PathClass::pxb;
}

const Device* device_of(const Machine& machine, Object object) {
  const auto index = static_cast<std::size_t>(object.index);
  if (object.kind == ObjectKind::gpu) return &machine.gpus.at(index);
  return object.kind == ObjectKind::nic ? &machine.nics.at(index) : nullptr;
}

bool belongs(const Core& core, int index, Object object) {
  switch (object.kind) {
    case ObjectKind::pu:
      return std::binary_search(core.pus.begin(), core.pus.end(), object.index);
    case ObjectKind::core:
      return index == object.index;
    case ObjectKind::numa:
      return core.numa == object.index;
    case ObjectKind::package:
      return core.package == object.index;
    case ObjectKind::gpu:
    case ObjectKind::nic:
      break;
  }
  return false;
}

Place place_of(const Machine& machine, Object object) {
  if (const Device* device = device_of(machine, object)) return {device->package, device->numa};
  std::vector<int> pus;
  for (std::size_t i = 0; i < machine.cores.size(); ++i) {
    const Core& core = machine.cores[i];
    if (!belongs(core, static_cast<int>(i), object)) continue;
    if (object.kind == ObjectKind::pu) return rondo::place_of(machine, {&object.index, 1});
    pus.insert(pus.end(), core.pus.begin(), core.pus.end());
  }
  return rondo::place_of(machine, pus);
}

bool are_linked(const Machine& machine, std::string_view name, Object left, Object right) {
  for (const Matrix& matrix : machine.matrices) {
    if (matrix.name != name) continue;
    const auto begin = matrix.objects.begin();
    const auto i = std::find(begin, matrix.objects.end(), left) - begin;
    const auto j = std::find(begin, matrix.objects.end(), right) - begin;
    const auto size = static_cast<std::ptrdiff_t>(matrix.objects.size());
    if (i == size || j == size) continue;
    if (matrix.values[static_cast<std::size_t>(i * size + j)] > 0) return true;
    if (matrix.values[static_cast<std::size_t>(j * size + i)] > 0) return true;
  }
  return false;
}

}  // namespace

std::string_view name(PathClass path) {
  return words[static_cast<std::size_t>(path)].name;
}
std::string_view meaning(PathClass path) {
  return words[static_cast<std::size_t>(path)].meaning;
}

Place place_of(const Machine& machine, std::span<const int> pus) {
  Place place;
  bool first = true;
  for (std::size_t i = 0; i < machine.cores.size(); ++i) {
    const Core& core = machine.cores[i];
    const bool inside = std::any_of(core.pus.begin(), core.pus.end(), [&](int pu) {
      return std::find(pus.begin(), pus.end(), pu) != pus.end();
    });
    if (!inside) continue;
    const Place here{core.package, core.numa, core.l3, core.l2, static_cast<int>(i)};
    if (first) place = here;
    first = false;
    for (int Place::*part : {&Place::package, &Place::numa, &Place::l3, &Place::l2, &Place::core}) {
      if (place.*part != here.*part) place.*part = unknown;
    }
  }
  return place;
}

PathClass path_class(const Machine& machine, Object left, Object right) {
  if (left == right) return PathClass::self;
  if (are_linked(machine, "NVLinkBandwidth", left, right)) return PathClass::nvlink;
  if (are_linked(machine, "XGMIBandwidth", left, right)) return PathClass::xgmi;
  const Device* device = device_of(machine, left);
  const Device* other = device_of(machine, right);
  if (device && other) return between_devices(*device, *other);
  const Place a = place_of(machine, left);
  const Place b = place_of(machine, right);
  // Some GPUs have NVLink to the packages: then all cores of the package have.
  if (device && are_linked(machine, "NVLinkBandwidth", left, {ObjectKind::package, b.package})) {
    return PathClass::nvlink;
  }
  if (other && are_linked(machine, "NVLinkBandwidth", {ObjectKind::package, a.package}, right)) {
    return PathClass::nvlink;
  }
  return device || other ? by_locality(a, b, PathClass::phb) : between_places(a, b);
}

PathClass path_class(const Topology& topology, int rank, int other) {
  RONDO_INVARIANT(static_cast<std::size_t>(rank), <, topology.ranks.size());
  RONDO_INVARIANT(static_cast<std::size_t>(other), <, topology.ranks.size());
  if (rank == other) return PathClass::self;
  const Rank& a = topology.ranks[static_cast<std::size_t>(rank)];
  const Rank& b = topology.ranks[static_cast<std::size_t>(other)];
  const Host& host = topology.hosts.at(static_cast<std::size_t>(a.host));
  if (a.host != b.host) {
    const Host& far = topology.hosts.at(static_cast<std::size_t>(b.host));
    const bool together = !host.groups.empty() && host.groups == far.groups;
    return together ? PathClass::rack : PathClass::network;
  }
  const Machine& machine = topology.machines.at(static_cast<std::size_t>(host.machine));
  if (a.gpu != unknown && b.gpu != unknown) {
    if (a.gpu == b.gpu) return PathClass::same_gpu;
    return path_class(machine, {ObjectKind::gpu, a.gpu}, {ObjectKind::gpu, b.gpu});
  }
  return between_places(place_of(machine, a.pus), place_of(machine, b.pus));
}

}  // namespace rondo
