#pragma once

// Where the ranks live: hosts, what is inside them, and the network between them, as plain data.
//
// Glossary:
//   machine   what is inside one host: cores, GPUs, NICs and the distances between them. Hosts that
//             are built alike share one machine.
//   host      one instance of a machine, with an identity
//   object    a PU, core, NUMA node, package, GPU or NIC of a host
//   PU        what the operating system schedules on: a core, or one hardware thread of a core
//   path      what lies between two ranks or objects; its class says what the slowest part is
//
// What is not known is `unknown`, never guessed; remarks() says in words what is missing.

#include <compare>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "rondo/error.hpp"
#include "rondo/export.hpp"

namespace rondo {

inline constexpr int unknown = -1;

enum class ObjectKind : std::uint8_t { pu, core, numa, package, gpu, nic };
inline constexpr int object_kind_count = 6;

/// Objects are counted from 0 inside their host, except PUs, which have the number of the system.
struct Object {
  ObjectKind kind = ObjectKind::pu;
  int index = 0;
  friend auto operator<=>(const Object&, const Object&) = default;
};

/// A core, its place, and its PUs.
struct Core {
  int package = unknown;
  int numa = unknown;
  int l3 = unknown;  ///< counted over the whole host, as l2
  int l2 = unknown;
  std::vector<int> pus;  ///< ascending
  friend auto operator<=>(const Core&, const Core&) = default;
};

/// What GPUs and NICs have in common. Texts are words without blanks.
struct Device {
  std::vector<std::string> names;  ///< of the system: cuda0, nvml0; mlx5_0, ib0
  std::string model;               ///< empty if unknown
  std::string pci;                 ///< address such as 0000:34:00.0; empty if unknown
  std::vector<std::string> via;    ///< the host bridge, then each bridge on the way to the device
  int package = unknown;
  int numa = unknown;
  std::uint32_t pci_mbytes_per_s = 0;   ///< of the link to the device; 0 if unknown
  std::uint32_t speed_mbits_per_s = 0;  ///< of a NIC on the wire; 0 if unknown
  friend auto operator<=>(const Device&, const Device&) = default;
};

/// One value for each pair of objects, by rows.
struct Matrix {
  std::string name;        ///< hwloc's: NUMALatency, NVLinkBandwidth (MB/s), XGMIBandwidth (MB/s)
  bool bandwidth = false;  ///< more is better
  std::vector<Object> objects;
  std::vector<std::uint64_t> values;
  friend auto operator<=>(const Matrix&, const Matrix&) = default;
};

struct Machine {
  bool cores_known = false;    ///< else each PU stands as a core of its own
  bool devices_known = false;  ///< else PCI is hidden, and GPUs and NICs may be missing
  std::vector<Core> cores;
  std::vector<Device> gpus;
  std::vector<Device> nics;
  std::vector<Matrix> matrices;
  friend auto operator<=>(const Machine&, const Machine&) = default;
};

struct Host {
  std::string id;           ///< of the running system and its namespaces; never the host name
  int machine = 0;          ///< index in Topology::machines
  std::vector<int> groups;  ///< one for each level of the network, the widest first
  std::vector<std::string> gpu_uuids;  ///< one for each GPU, "-" if unknown; or none at all
  friend auto operator<=>(const Host&, const Host&) = default;
};

struct Rank {
  int host = 0;
  std::vector<int> pus;  ///< it may run on these, ascending; none if unknown
  int gpu = unknown;     ///< that it works with
  friend auto operator<=>(const Rank&, const Rank&) = default;
};

enum class NetworkKind : std::uint8_t {
  not_known,
  flat,
  fat_tree,
  dragonfly,
  rail_optimised,  ///< a fat tree whose narrowest groups have a switch for each NIC of a host
};
inline constexpr int network_kind_count = 5;

/// A level of groups of hosts: the racks of a fat tree, the groups and switches of a dragonfly.
struct NetworkLevel {
  std::string name;
  int uplink_percent = 100;  ///< what a group can send out, of what its hosts can
  friend auto operator<=>(const NetworkLevel&, const NetworkLevel&) = default;
};

struct Network {
  NetworkKind kind = NetworkKind::not_known;
  std::vector<NetworkLevel> levels;  ///< the widest first
  friend auto operator<=>(const Network&, const Network&) = default;
};

struct Topology {
  Network network;
  std::vector<Machine> machines;
  std::vector<Host> hosts;
  std::vector<Rank> ranks;
  friend bool operator==(const Topology&, const Topology&) = default;
};

/// From near to far. The words of nvidia-smi and NCCL, where they have one.
enum class PathClass : std::uint8_t {
  self,      ///< one and the same object
  core,      ///< PUs of one core
  l2,        ///< cores that share an L2 cache
  l3,        ///< cores that share an L3 cache
  numa,      ///< cores of one NUMA node
  package,   ///< cores of one package
  same_gpu,  ///< ranks that share a GPU
  nvlink,    ///< NVLink, direct or through switches
  xgmi,      ///< AMD's Infinity Fabric between GPUs
  pix,       ///< one PCIe switch
  pxb,       ///< several PCIe switches, below one host bridge
  phb,       ///< a PCIe host bridge
  node,      ///< PCIe host bridges of one NUMA node
  sys,       ///< the interconnect between NUMA nodes or packages of a host
  host,      ///< one host, and nothing closer is known
  rack,      ///< hosts of one narrowest group of the network
  network,   ///< any other two hosts
};
inline constexpr int path_class_count = 17;

RONDO_API std::string_view name(ObjectKind kind);
RONDO_API std::string_view name(NetworkKind kind);
RONDO_API std::string_view name(PathClass path);
/// The class in a sentence for people.
RONDO_API std::string_view meaning(PathClass path);

/// Between two ranks: between their GPUs if both have one, else between their cores.
RONDO_API PathClass path_class(const Topology& topology, int rank, int other);
/// Between two objects of one host.
RONDO_API PathClass path_class(const Machine& machine, Object left, Object right);

/// The part of the host that holds all these PUs, unknown where they spread over several.
struct Place {
  int package = unknown;
  int numa = unknown;
  int l3 = unknown;
  int l2 = unknown;
  int core = unknown;
  friend auto operator<=>(const Place&, const Place&) = default;
};
RONDO_API Place place_of(const Machine& machine, std::span<const int> pus);

/// The same value however it came about: machines once each and in a fixed order, hosts in the
/// order of their lowest ranks. Ranks keep their numbers.
RONDO_API Topology canonical(Topology topology);

/// The canonical topology of some ranks alone, which get new numbers in this order.
RONDO_API Topology subset(const Topology& topology, std::span<const int> ranks);

/// Equal for equal values, on every machine and in every run.
RONDO_API std::uint64_t hash(const Machine& machine);
RONDO_API std::uint64_t hash(const Topology& topology);

/// What one rank tells the others; the machine itself travels once for each hash.
struct RankView {
  int rank = 0;
  std::string host;           ///< Host::id
  std::uint64_t machine = 0;  ///< hash(Machine)
  std::vector<int> pus;
  int gpu = unknown;
  std::vector<std::string> gpu_uuids;  ///< of the host, as in Host
  friend bool operator==(const RankView&, const RankView&) = default;
};

/// One line of text; parse_view(to_text(v)) == v.
RONDO_API std::string to_text(const RankView& view);
RONDO_API Result<RankView> parse_view(std::string_view text);

/// The canonical topology of a world, whatever the order of the views. Where ranks see one host
/// differently, as from containers, the view that shows most is taken.
RONDO_API Result<Topology> merge(std::span<const RankView> views,
                                 std::span<const Machine> machines);

/// Topology text; parse_topology(to_text(t)) == t. The format is described in
/// src/topology/README.md.
RONDO_API std::string to_text(const Topology& topology);
RONDO_API std::string to_text(const Machine& machine);
RONDO_API Result<Topology> parse_topology(std::string_view text);
RONDO_API Result<Machine> parse_machine(std::string_view text);
RONDO_API std::string to_json(const Topology& topology);

/// What is unknown or looks like a mistake, in sentences: hidden PCI, unbound ranks, ranks that
/// share a core.
RONDO_API std::vector<std::string> remarks(const Topology& topology);

/// A tree a person can read, the distances, and the classes of the paths.
RONDO_API std::string draw_text(const Topology& topology);

/// What the present process can find out: its host, and itself as rank 0.
RONDO_API Result<Topology> discover_topology();

/// The machine of an hwloc XML file, as `lstopo machine.xml` writes it, as a host without ranks.
RONDO_API Result<Topology> import_hwloc_xml(const std::string& xml);

/// A made-up topology from words: "2 hosts x 2 packages x 8 cores, 2 nics", "16 x dgx-h100,
/// fat tree of 4 hosts". The words are described in src/topology/README.md.
RONDO_API Result<Topology> synthetic_topology(std::string_view description);

}  // namespace rondo
