// The only file that knows hwloc: from its objects to a Machine.

#include "topology/discover.hpp"
#include "topology/text.hpp"

#if RONDO_HWLOC

#include <hwloc.h>
#include <hwloc/distances.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <limits>
#include <map>
#include <memory>
#include <set>

namespace rondo {

namespace {

// What hwloc 3 has changed, in one place.
#if HWLOC_API_VERSION >= 0x00030000
bool is_os_device(hwloc_obj_t object, unsigned long kinds) {
  return (object->attr->osdev.types & kinds) != 0;
}
constexpr unsigned long gpu_kinds = HWLOC_OBJ_OSDEV_GPU | HWLOC_OBJ_OSDEV_COPROC;
constexpr unsigned long nic_kinds = HWLOC_OBJ_OSDEV_NETWORK | HWLOC_OBJ_OSDEV_OPENFABRICS;
constexpr unsigned long bandwidth_kind = HWLOC_DISTANCES_KIND_VALUE_BANDWIDTH;
#else
bool is_os_device(hwloc_obj_t object, unsigned long kinds) {
  return (1ul << object->attr->osdev.type & kinds) != 0;
}
constexpr unsigned long gpu_kinds = 1ul << HWLOC_OBJ_OSDEV_GPU | 1ul << HWLOC_OBJ_OSDEV_COPROC;
constexpr unsigned long nic_kinds =
    1ul << HWLOC_OBJ_OSDEV_NETWORK | 1ul << HWLOC_OBJ_OSDEV_OPENFABRICS;
constexpr unsigned long bandwidth_kind = HWLOC_DISTANCES_KIND_MEANS_BANDWIDTH;
#endif

struct Destroy {
  void operator()(hwloc_topology_t topology) const { hwloc_topology_destroy(topology); }
};
using Handle = std::unique_ptr<hwloc_topology, Destroy>;

Result<Handle> prepare() {
  hwloc_topology_t topology = nullptr;
  if (hwloc_topology_init(&topology) != 0) {
    return Error(ErrorCode::resource, "hwloc cannot make a topology");
  }
  Handle handle(topology);
  // What other ranks of this host may use belongs to the host, too.
  hwloc_topology_set_flags(topology, HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED);
  hwloc_topology_set_io_types_filter(topology, HWLOC_TYPE_FILTER_KEEP_ALL);
  // These start drivers or connect to displays, which a library must not do behind one's back.
  // "pci" leaks memory with each look; without it hwloc reads the same from Linux's sysfs.
  for (const char* component : {"cuda", "opencl", "gl", "levelzero", "pci"}) {
    hwloc_topology_set_components(topology, HWLOC_TOPOLOGY_COMPONENTS_FLAG_BLACKLIST, component);
  }
  return handle;
}

std::string address_of(const decltype(hwloc_obj_attr_u::pcidev)& pci) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%04x:%02x:%02x.%01x", unsigned{pci.domain},
                unsigned{pci.bus}, unsigned{pci.dev}, unsigned{pci.func});
  return text.data();
}

// The host bridge, then each bridge on the way down.
std::vector<std::string> bridges_above(hwloc_obj_t object) {
  std::vector<std::string> via;
  for (hwloc_obj_t up = object->parent; up && up->type == HWLOC_OBJ_BRIDGE; up = up->parent) {
    const auto& bridge = up->attr->bridge;
    if (bridge.upstream_type == HWLOC_OBJ_BRIDGE_PCI) {
      via.push_back(address_of(bridge.upstream.pci));
    } else {
      const auto& below = bridge.downstream.pci;
      std::array<char, 32> text{};
      std::snprintf(text.data(), text.size(), "%04x:%02x", unsigned{below.domain},
                    unsigned{below.secondary_bus});
      via.emplace_back(text.data());
    }
  }
  std::reverse(via.begin(), via.end());
  return via;
}

std::string info(hwloc_obj_t object, const char* key) {
  const char* value = hwloc_obj_get_info_by_name(object, key);
  return value ? as_word(value) : "";
}

template <class T>
void set_if_empty(T& value, T found) {
  if (value.empty()) value = std::move(found);
}

class Reader {
 public:
  explicit Reader(hwloc_topology_t topology) : topology_(topology) {}

  Sighting read() {
    read_cores();
    read_pci_devices();
    read_other_devices();
    read_matrices();
    const auto is_unknown = [](const std::string& uuid) { return uuid == "-"; };
    if (std::all_of(uuids_.begin(), uuids_.end(), is_unknown)) uuids_.clear();
    return {std::move(machine_), std::move(uuids_)};
  }

 private:
  int index_above(hwloc_obj_t object, hwloc_obj_type_t type) const {
    const hwloc_obj_t above = hwloc_get_ancestor_obj_by_type(topology_, type, object);
    return above ? static_cast<int>(above->logical_index) : unknown;
  }

  // Of the nodes that a core is local to, the one for the fewest cores: memory is not part of the
  // tree that index_above() climbs.
  int numa_of(hwloc_obj_t object) const {
    int best = unknown;
    int fewest = std::numeric_limits<int>::max();
    for (hwloc_obj_t node = nullptr;
         (node = hwloc_get_next_obj_by_type(topology_, HWLOC_OBJ_NUMANODE, node));) {
      const int size = hwloc_bitmap_weight(node->cpuset);
      if (!hwloc_bitmap_isincluded(object->cpuset, node->cpuset) || size >= fewest) continue;
      best = static_cast<int>(node->logical_index);
      fewest = size;
    }
    return best;
  }

  static std::vector<int> pus_of(hwloc_const_bitmap_t set) {
    std::vector<int> pus;
    for (int pu = -1; (pu = hwloc_bitmap_next(set, pu)) >= 0 && pu <= max_pu;) pus.push_back(pu);
    return pus;
  }

  void read_cores() {
    machine_.cores_known = hwloc_get_nbobjs_by_type(topology_, HWLOC_OBJ_CORE) > 0;
    const auto type = machine_.cores_known ? HWLOC_OBJ_CORE : HWLOC_OBJ_PU;
    for (hwloc_obj_t object = nullptr;
         (object = hwloc_get_next_obj_by_type(topology_, type, object));) {
      if (machine_.cores_known) {
        objects_[object] = {ObjectKind::core, static_cast<int>(machine_.cores.size())};
      }
      Core core;
      core.package = index_above(object, HWLOC_OBJ_PACKAGE);
      core.numa = numa_of(object);
      core.l3 = index_above(object, HWLOC_OBJ_L3CACHE);
      core.l2 = index_above(object, HWLOC_OBJ_L2CACHE);
      core.pus = pus_of(object->cpuset);
      numas_.insert(core.numa);
      machine_.cores.push_back(std::move(core));
    }
    for (const auto& [hwloc_type, kind] :
         {std::pair(HWLOC_OBJ_PU, ObjectKind::pu), std::pair(HWLOC_OBJ_NUMANODE, ObjectKind::numa),
          std::pair(HWLOC_OBJ_PACKAGE, ObjectKind::package)}) {
      for (hwloc_obj_t object = nullptr;
           (object = hwloc_get_next_obj_by_type(topology_, hwloc_type, object));) {
        const bool by_system = kind == ObjectKind::pu;
        const unsigned index = by_system ? object->os_index : object->logical_index;
        // Memory without cores has no place in a Machine.
        if (kind == ObjectKind::numa && !numas_.contains(static_cast<int>(index))) continue;
        objects_[object] = {kind, static_cast<int>(index)};
      }
    }
  }

  // Whether the device computes. A screen's controller does not.
  static bool computes(hwloc_obj_t device, const std::vector<hwloc_obj_t>& names) {
    constexpr unsigned controller_3d = 0x0302;
    constexpr unsigned accelerator = 0x1200;
    const unsigned kind = device->attr->pcidev.class_id;
    if (kind == controller_3d || kind == accelerator) return true;
    return std::any_of(names.begin(), names.end(), [](hwloc_obj_t object) {
      const std::string_view name = object->name ? object->name : "";
      if (name.starts_with("opencl")) return info(object, "OpenCLDeviceType") == "GPU";
      return name.starts_with("cuda") || name.starts_with("nvml") || name.starts_with("rsmi") ||
             name.starts_with("ze");
    });
  }

  Device device_at(hwloc_obj_t object) const {
    Device device;
    const hwloc_obj_t anchor = hwloc_get_non_io_ancestor_obj(topology_, object);
    const Place place = place_of(machine_, pus_of(anchor->cpuset));
    device.package = place.package;
    device.numa = place.numa;
    return device;
  }

  void read_pci_devices() {
    for (hwloc_obj_t pci = nullptr; (pci = hwloc_get_next_pcidev(topology_, pci));) {
      machine_.devices_known = true;
      std::vector<hwloc_obj_t> gpus;
      std::vector<hwloc_obj_t> nics;
      for (hwloc_obj_t child = pci->io_first_child; child; child = child->next_sibling) {
        if (child->type != HWLOC_OBJ_OS_DEVICE) continue;
        if (is_os_device(child, gpu_kinds)) gpus.push_back(child);
        if (is_os_device(child, nic_kinds)) nics.push_back(child);
      }
      Device device = device_at(pci);
      device.pci = address_of(pci->attr->pcidev);
      device.via = bridges_above(pci);
      device.pci_mbytes_per_s =
          static_cast<std::uint32_t>(std::lround(pci->attr->pcidev.linkspeed * 1000));
      if (computes(pci, gpus)) add_gpu(pci, device, gpus);
      if (!nics.empty()) add_nic(std::move(device), nics);
    }
  }

  void add_gpu(hwloc_obj_t pci, Device device, const std::vector<hwloc_obj_t>& names) {
    const Object object{ObjectKind::gpu, static_cast<int>(machine_.gpus.size())};
    objects_[pci] = object;
    std::string uuid;
    for (const hwloc_obj_t name : names) {
      objects_[name] = object;
      if (name->name) device.names.push_back(as_word(name->name));
      set_if_empty(device.model, info(name, "GPUModel"));
      for (const char* key : {"NVIDIAUUID", "AMDUUID", "LevelZeroUUID"}) {
        set_if_empty(uuid, info(name, key));
      }
    }
    set_if_empty(device.model, info(pci, "PCIDevice"));
    std::sort(device.names.begin(), device.names.end());
    machine_.gpus.push_back(std::move(device));
    uuids_.push_back(uuid.empty() ? "-" : uuid);
  }

  void add_nic(Device device, const std::vector<hwloc_obj_t>& names) {
    for (const hwloc_obj_t name : names) {
      objects_[name] = {ObjectKind::nic, static_cast<int>(machine_.nics.size())};
      if (name->name) device.names.push_back(as_word(name->name));
    }
    std::sort(device.names.begin(), device.names.end());
    machine_.nics.push_back(std::move(device));
  }

  // NICs that are no PCI devices: those of virtual machines and of some systems on a chip.
  void read_other_devices() {
    for (hwloc_obj_t object = nullptr; (object = hwloc_get_next_osdev(topology_, object));) {
      const bool on_pci = object->parent->type == HWLOC_OBJ_PCI_DEVICE;
      const bool loopback = object->name && std::string_view(object->name) == "lo";
      if (on_pci || loopback || !is_os_device(object, nic_kinds)) continue;
      add_nic(device_at(object), {object});
    }
  }

  void read_matrices() {
    unsigned count = 0;
    hwloc_distances_get(topology_, &count, nullptr, 0, 0);
    std::vector<hwloc_distances_s*> all(count);
    hwloc_distances_get(topology_, &count, all.data(), 0, 0);
    for (hwloc_distances_s* distances : all) {
      read_matrix(distances);
      hwloc_distances_release(topology_, distances);
    }
    std::sort(machine_.matrices.begin(), machine_.matrices.end());
  }

  static bool has_switches(const hwloc_distances_s* distances) {
    return std::any_of(
        distances->objs, distances->objs + distances->nbobjs, [](hwloc_obj_t object) {
          return object && object->subtype && std::string_view(object->subtype) == "NVSwitch";
        });
  }

  void read_matrix(hwloc_distances_s* distances) {
    const char* name = hwloc_distances_get_name(topology_, distances);
    Matrix matrix;
    matrix.name = name ? as_word(name) : "";
    matrix.bandwidth = (distances->kind & bandwidth_kind) != 0;
    if (has_switches(distances)) {  // from links with switches to links between GPUs
      hwloc_distances_transform(topology_, distances, HWLOC_DISTANCES_TRANSFORM_MERGE_SWITCH_PORTS,
                                nullptr, 0);
      hwloc_distances_transform(topology_, distances, HWLOC_DISTANCES_TRANSFORM_TRANSITIVE_CLOSURE,
                                nullptr, 0);
    }
    std::vector<unsigned> kept;
    for (unsigned i = 0; i < distances->nbobjs; ++i) {
      const auto object = objects_.find(distances->objs[i]);
      if (object == objects_.end()) continue;
      kept.push_back(i);
      matrix.objects.push_back(object->second);
    }
    if (kept.size() < 2) return;
    for (const unsigned i : kept) {
      for (const unsigned j : kept) {
        matrix.values.push_back(distances->values[i * distances->nbobjs + j]);
      }
    }
    if (matrix.name.empty()) matrix.name = "unnamed";
    machine_.matrices.push_back(std::move(matrix));
  }

  hwloc_topology_t topology_;
  Machine machine_;
  std::vector<std::string> uuids_;
  std::map<hwloc_obj_t, Object> objects_;
  std::set<int> numas_;  // that have cores
};

}  // namespace

Result<Sighting> see_with_hwloc() {
  Result<Handle> handle = prepare();
  if (!handle) return handle.error();
  if (hwloc_topology_load(handle.value().get()) != 0) {
    return Error(ErrorCode::io, "hwloc cannot look at this machine");
  }
  return Reader(handle.value().get()).read();
}

Result<Sighting> see_hwloc_xml(const std::string& xml) {
  Result<Handle> handle = prepare();
  if (!handle) return handle.error();
  hwloc_topology_t topology = handle.value().get();
  const bool fits = xml.size() < static_cast<std::size_t>(std::numeric_limits<int>::max());
  if (!fits ||
      hwloc_topology_set_xmlbuffer(topology, xml.c_str(), static_cast<int>(xml.size() + 1)) != 0 ||
      hwloc_topology_load(topology) != 0) {
    return Error(ErrorCode::invalid_argument,
                 "this is no XML that hwloc understands; 'lstopo machine.xml' writes such files");
  }
  return Reader(topology).read();
}

}  // namespace rondo

#else

namespace rondo {

namespace {

Error missing() {
  return Error(ErrorCode::unsupported,
               "this rondo was built without hwloc; install libhwloc-dev and build it again");
}

}  // namespace

Result<Sighting> see_with_hwloc() {
  return missing();
}

Result<Sighting> see_hwloc_xml(const std::string&) {
  return missing();
}

}  // namespace rondo

#endif
