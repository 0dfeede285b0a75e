// A topology as a person reads it: trees, tables of distances, classes of paths.

#include <algorithm>
#include <iomanip>
#include <map>
#include <set>
#include <sstream>

#include "base/text.hpp"
#include "topology/text.hpp"

namespace rondo {

namespace {

// More than this does not fit on a screen.
constexpr std::size_t most_columns = 40;
constexpr std::size_t most_lines = 32;

struct Node {
  std::string label;
  std::vector<Node> children;
};

void draw(std::ostream& out, const Node& node, const std::string& indent) {
  for (std::size_t i = 0; i < node.children.size(); ++i) {
    const bool last = i + 1 == node.children.size();
    out << indent << (last ? "└─ " : "├─ ") << node.children[i].label << "\n";
    draw(out, node.children[i], indent + (last ? "   " : "│  "));
  }
}

std::string counted(std::size_t count, std::string_view noun) {
  return concat(count, " ", noun, count == 1 ? "" : "s");
}

std::string rate_label(double mbytes_per_s) {
  return concat(std::fixed, std::setprecision(1), mbytes_per_s / 1000, " GB/s");
}

std::string label_of(const char* kind, std::size_t index, const Device& device,
                     std::string_view uuid) {
  std::string label = concat(kind, " ", index);
  for (const std::string& name : device.names) label += " " + name;
  if (!device.model.empty()) label += ", " + device.model;
  if (!device.pci.empty()) label += ", PCI " + device.pci;
  if (device.pci_mbytes_per_s > 0) label += " with " + rate_label(device.pci_mbytes_per_s);
  if (device.speed_mbits_per_s > 0) {
    label += concat(", ", device.speed_mbits_per_s / 1000.0, " Gbit/s");
  }
  if (!uuid.empty() && uuid != "-") label += concat(", ", uuid);
  return label;
}

struct Leaf {
  const Device* device;
  std::string label;
};

// Bridges that lead to one thing only are left out.
Node bridges(const std::vector<Leaf>& leaves, std::size_t depth) {
  Node node;
  std::vector<std::pair<std::string, std::vector<Leaf>>> below;
  for (const Leaf& leaf : leaves) {
    if (depth >= leaf.device->via.size()) {
      node.children.push_back({leaf.label, {}});
      continue;
    }
    const std::string& bridge = leaf.device->via[depth];
    const auto known = std::find_if(below.begin(), below.end(),
                                    [&](const auto& entry) { return entry.first == bridge; });
    if (known == below.end()) {
      below.push_back({bridge, {leaf}});
    } else {
      known->second.push_back(leaf);
    }
  }
  for (const auto& [bridge, members] : below) {
    Node child = bridges(members, depth + 1);
    if (child.children.size() == 1) {
      node.children.push_back(std::move(child.children.front()));
    } else {
      child.label = concat(depth == 0 ? "PCIe host bridge " : "PCIe bridge ", bridge);
      node.children.push_back(std::move(child));
    }
  }
  return node;
}

class MachineTree {
 public:
  MachineTree(const Machine& machine, const Host& host) : machine_(machine) {
    for (std::size_t i = 0; i < machine.gpus.size(); ++i) {
      const std::string uuid = i < host.gpu_uuids.size() ? host.gpu_uuids[i] : "";
      const Device& gpu = machine.gpus[i];
      leaves_[{gpu.package, gpu.numa}].push_back({&gpu, label_of("GPU", i, gpu, uuid)});
    }
    for (std::size_t i = 0; i < machine.nics.size(); ++i) {
      const Device& nic = machine.nics[i];
      leaves_[{nic.package, nic.numa}].push_back({&nic, label_of("NIC", i, nic, "")});
    }
  }

  Node root() {
    Node root;
    for (const int package : values(&Core::package, {})) {
      if (package == unknown) {
        add_package(root, package);
        continue;
      }
      Node node{concat("package ", package), {}};
      add_package(node, package);
      root.children.push_back(std::move(node));
    }
    for (const auto& [place, leaves] : leaves_) {
      if (place.second == unknown) {
        add_devices(root, leaves);
        continue;
      }
      Node node{concat("at NUMA node ", place.second), {}};  // which spans several packages
      add_devices(node, leaves);
      root.children.push_back(std::move(node));
    }
    return root;
  }

 private:
  using CoreFilter = std::vector<std::pair<int Core::*, int>>;

  bool passes(const Core& core, const CoreFilter& filter) const {
    return std::all_of(filter.begin(), filter.end(), [&](const auto& condition) {
      return core.*condition.first == condition.second;
    });
  }
  std::set<int> values(int Core::*part, const CoreFilter& filter) const {
    std::set<int> found;
    for (const Core& core : machine_.cores) {
      if (passes(core, filter)) found.insert(core.*part);
    }
    return found;
  }

  std::string cores_label(const CoreFilter& filter) const {
    std::vector<int> cores;
    std::vector<int> pus;
    for (std::size_t i = 0; i < machine_.cores.size(); ++i) {
      if (!passes(machine_.cores[i], filter)) continue;
      cores.push_back(static_cast<int>(i));
      pus.insert(pus.end(), machine_.cores[i].pus.begin(), machine_.cores[i].pus.end());
    }
    std::sort(pus.begin(), pus.end());
    const std::string pu_label = concat(pus.size() == 1 ? "PU " : "PUs ", ranges(pus));
    if (!machine_.cores_known) return pu_label;
    return concat(cores.size() == 1 ? "core " : "cores ", ranges(cores), ": ", pu_label);
  }

  void add_package(Node& node, int package) {
    for (const int numa : values(&Core::numa, {{&Core::package, package}})) {
      const CoreFilter filter = {{&Core::package, package}, {&Core::numa, numa}};
      if (numa == unknown) {
        add_cores(node, filter);
        take_devices(node, {package, numa});
        continue;
      }
      Node child{concat("NUMA node ", numa), {}};
      add_cores(child, filter);
      take_devices(child, {package, numa});
      node.children.push_back(std::move(child));
    }
    take_devices(node, {package, unknown});
  }

  void add_cores(Node& node, CoreFilter filter) {
    for (const int l3 : values(&Core::l3, filter)) {
      CoreFilter inside = filter;
      inside.emplace_back(&Core::l3, l3);
      const std::string cores = cores_label(inside);
      node.children.push_back({l3 == unknown ? cores : concat("L3 ", l3, ": ", cores), {}});
    }
  }

  void take_devices(Node& node, std::pair<int, int> place) {
    const auto found = leaves_.find(place);
    if (found == leaves_.end() || place == std::pair(unknown, unknown)) return;
    add_devices(node, found->second);
    leaves_.erase(found);
  }

  static void add_devices(Node& node, const std::vector<Leaf>& leaves) {
    for (Node& child : bridges(leaves, 0).children) node.children.push_back(std::move(child));
  }

  const Machine& machine_;
  std::map<std::pair<int, int>, std::vector<Leaf>> leaves_;
};

// A table with the same names on both sides.
template <class Cell>
void draw_table(std::ostream& out, const std::vector<std::string>& names, Cell cell) {
  std::size_t width = 4;
  std::size_t first = 0;
  for (std::size_t i = 0; i < names.size(); ++i) {
    width = std::max(width, names[i].size());
    first = std::max(first, names[i].size());
    for (std::size_t j = 0; j < names.size(); ++j) {
      width = std::max(width, std::string(cell(i, j)).size());
    }
  }
  const auto pad = [&](std::string_view text, std::size_t to) {
    out << std::string(to > text.size() ? to - text.size() : 0, ' ') << text;
  };
  out << "  " << std::string(first, ' ');
  for (const std::string& name : names) pad(name, width + 1);
  for (std::size_t i = 0; i < names.size(); ++i) {
    out << "\n  " << names[i] << std::string(first - names[i].size(), ' ');
    for (std::size_t j = 0; j < names.size(); ++j) pad(cell(i, j), width + 1);
  }
  out << "\n";
}

void draw_legend(std::ostream& out, const std::set<PathClass>& classes) {
  for (const PathClass path : classes) {
    out << "  " << std::left << std::setw(5) << name(path) << std::right << " " << meaning(path)
        << "\n";
  }
}

void draw_paths(std::ostream& out, const Machine& machine) {
  std::vector<Object> objects;
  for (std::size_t i = 0; i < machine.gpus.size(); ++i) {
    objects.push_back({ObjectKind::gpu, static_cast<int>(i)});
  }
  for (std::size_t i = 0; i < machine.nics.size(); ++i) {
    objects.push_back({ObjectKind::nic, static_cast<int>(i)});
  }
  std::set<int> numas;
  for (const Core& core : machine.cores) numas.insert(core.numa);
  numas.erase(unknown);
  for (const int numa : numas) objects.push_back({ObjectKind::numa, numa});
  if (objects.size() < 2 || objects.size() > most_columns) return;
  std::vector<std::string> names;
  std::set<PathClass> classes;
  for (const Object& object : objects) {
    names.push_back(to_text(object));
    for (const Object& other : objects) classes.insert(path_class(machine, object, other));
  }
  out << "\npaths inside a host\n";
  draw_table(out, names, [&](std::size_t i, std::size_t j) {
    return name(path_class(machine, objects[i], objects[j]));
  });
  draw_legend(out, classes);
}

void draw_matrices(std::ostream& out, const Machine& machine) {
  for (const Matrix& matrix : machine.matrices) {
    if (matrix.objects.size() > most_columns) continue;
    const bool mbytes = matrix.name == "NVLinkBandwidth" || matrix.name == "XGMIBandwidth";
    out << "\n" << matrix.name << (mbytes ? " in MB/s" : "") << "\n";
    std::vector<std::string> names;
    for (const Object& object : matrix.objects) names.push_back(to_text(object));
    draw_table(out, names, [&](std::size_t i, std::size_t j) {
      return concat(matrix.values[i * names.size() + j]);
    });
  }
}

std::string place_label(const Place& place) {
  std::string label;
  const auto add = [&](const char* what, int index) {
    if (index != unknown) label += concat(label.empty() ? "" : ", ", what, " ", index);
  };
  add("package", place.package);
  add("NUMA node", place.numa);
  add("L3", place.l3);
  add("core", place.core);
  return label.empty() ? "" : concat(" in ", label);
}

void draw_ranks(std::ostream& out, const Topology& topology) {
  const std::size_t size = topology.ranks.size();
  if (size == 0) return;
  if (size > most_lines) {
    std::map<int, std::vector<int>> of_host;
    for (std::size_t i = 0; i < size; ++i) {
      of_host[topology.ranks[i].host].push_back(static_cast<int>(i));
    }
    out << "\n";
    std::size_t lines = 0;
    for (const auto& [host, ranks] : of_host) {
      if (lines++ == most_lines) break;
      out << "ranks " << ranges(ranks) << " on host " << host << "\n";
    }
    if (of_host.size() > most_lines) {
      out << "and so on, " << counted(size, "rank") << " in all\n";
    }
    return;
  }
  out << "\n";
  for (std::size_t i = 0; i < size; ++i) {
    const Rank& rank = topology.ranks[i];
    const Host& host = topology.hosts[static_cast<std::size_t>(rank.host)];
    const Machine& machine = topology.machines[static_cast<std::size_t>(host.machine)];
    out << "rank " << i << " on host " << rank.host;
    if (rank.gpu != unknown) out << ", GPU " << rank.gpu;
    out << ", " << (rank.pus.size() == 1 ? "PU " : "PUs ") << ranges(rank.pus)
        << place_label(place_of(machine, rank.pus)) << "\n";
  }
  if (size < 2) return;
  std::vector<std::string> names;
  std::set<PathClass> classes;
  for (std::size_t i = 0; i < size; ++i) {
    names.push_back(concat(i));
    for (std::size_t j = 0; j < size; ++j) {
      classes.insert(path_class(topology, static_cast<int>(i), static_cast<int>(j)));
    }
  }
  out << "\npaths between ranks\n";
  draw_table(out, names, [&](std::size_t i, std::size_t j) {
    return name(path_class(topology, static_cast<int>(i), static_cast<int>(j)));
  });
  draw_legend(out, classes);
}

void draw_summary(std::ostream& out, const Topology& topology) {
  out << counted(topology.hosts.size(), "host") << ", " << counted(topology.ranks.size(), "rank");
  if (topology.hosts.size() > 1) {
    out << ", network: " << name(topology.network.kind);
    for (const NetworkLevel& level : topology.network.levels) {
      out << ", " << level.name << " with " << level.uplink_percent << "% uplink";
    }
  }
  out << "\n";
}

}  // namespace

std::string draw_text(const Topology& topology) {
  std::ostringstream out;
  draw_summary(out, topology);
  for (std::size_t i = 0; i < topology.machines.size(); ++i) {
    const Machine& machine = topology.machines[i];
    std::vector<int> hosts;
    for (std::size_t h = 0; h < topology.hosts.size(); ++h) {
      if (topology.hosts[h].machine == static_cast<int>(i)) hosts.push_back(static_cast<int>(h));
    }
    if (hosts.empty()) continue;
    std::size_t pus = 0;
    for (const Core& core : machine.cores) pus += core.pus.size();
    out << "\n" << (hosts.size() == 1 ? "host " : "hosts ") << ranges(hosts);
    out << (hosts.size() == 1 ? ": " : ", each: ");
    if (machine.cores_known) out << counted(machine.cores.size(), "core") << ", ";
    out << counted(pus, "PU") << ", " << counted(machine.gpus.size(), "GPU") << ", "
        << counted(machine.nics.size(), "NIC") << "\n";
    // UUIDs belong to one host only.
    const Host any;
    const Host& shown =
        hosts.size() == 1 ? topology.hosts[static_cast<std::size_t>(hosts[0])] : any;
    draw(out, MachineTree(machine, shown).root(), "");
    draw_matrices(out, machine);
    draw_paths(out, machine);
  }
  draw_ranks(out, topology);
  const std::vector<std::string> remarks = rondo::remarks(topology);
  if (!remarks.empty()) out << "\nremarks\n";
  for (const std::string& remark : remarks) out << "  " << remark << "\n";
  return out.str();
}

}  // namespace rondo
