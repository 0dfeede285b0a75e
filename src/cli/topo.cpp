#include <iostream>

#include "api/device/measure.hpp"
#include "api/value_or_throw.hpp"
#include "api/world_topology.hpp"
#include "base/text.hpp"
#include "cli/arguments.hpp"
#include "cli/costs.hpp"
#include "cli/devices.hpp"
#include "cli/planned_world.hpp"
#include "cli/topologies.hpp"
#include "cli/verbs.hpp"
#include "rondo/topology.hpp"

namespace rondo::cli {

namespace {

constexpr const char* help =
    "usage: rondo topo [--ranks N] [--json | --text]\n"
    "       rondo run -n 4 --no-prefix -- rondo topo [--json | --text | --costs]\n"
    "       rondo topo --xml FILE [--json | --text]\n"
    "       rondo topo --synthetic \"WORDS\" [--json | --text]\n"
    "       rondo topo FILE [--json | --text]\n"
    "       rondo topo --costs [--transport NAME] [--json]\n"
    "\n"
    "Shows what is inside the hosts of a world, where its ranks live, and what lies between them:\n"
    "the present host and process, the machine of an hwloc XML file, a made-up world, or a text\n"
    "that --text has written. '-' reads standard input. Under 'rondo run' or another launcher it "
    "is\n"
    "the present world, which rank 0 shows. What is here shows the devices too that rondo can use\n"
    "here, or why there is none.\n"
    "\n"
    "  --ranks N          so many ranks on this host, as 'rondo run' starts them\n"
    "  --xml FILE         as 'lstopo machine.xml' writes it\n"
    "  --synthetic WORDS  hosts from the outside to the inside, then what else there is:\n"
    "                       \"2 hosts x 2 packages x 8 cores, 2 nics of 200 gbit/s, 4 ranks\"\n"
    "                       \"16 x dgx-h100, fat tree of 4 hosts tapered 2:1\"\n"
    "                       \"64 hosts x 8 cores, dragonfly of 4 switches of 4 hosts\"\n"
    "                     and dgx-1, dgx-2, dgx-a100; numas, l3s and pus; 8 gpus with nvlink;\n"
    "                     one rank per host, package, numa, core, pu or gpu\n"
    "  --json             for programs\n"
    "  --text             in full, for RONDO_TOPOLOGY of a world of so many ranks;\n"
    "                     src/topology/README.md describes the format\n"
    "  --costs            measures what the links between two ranks on this host cost, and prints\n"
    "                     it as text for RONDO_COSTS; in a world, what its links cost. Of devices\n"
    "                     what was measured when communicators connected theirs\n"
    "  --transport NAME   of these links: shm or tcp, as between processes, or inproc, as between\n"
    "                     threads\n";

// With what is known of the devices here, from communicators that have connected some.
int print_costs(CostTable costs, const Topology& topology, bool json) {
  const std::string name = known_devices_name(topology);
  if (!name.empty()) add_cached_device_costs(name, costs);
  std::cout << (json ? to_json(costs) : to_text(costs));
  return success;
}

int print_costs(Arguments& arguments) {
  const bool json = arguments.flag("--json");
  if (is_launched()) {
    arguments.finish();
    Communicator world = Communicator::from_env();
    const CostTable& costs = world.costs();
    return world.rank() == 0 ? print_costs(costs, world.topology(), json) : success;
  }
  const std::string transport = arguments.value("--transport").value_or("shm");
  arguments.finish();
  if (transport != "shm" && transport != "tcp" && transport != "inproc") {
    throw UsageError(concat("there is no transport '", transport, "'; known: shm, tcp, inproc"));
  }
  return print_costs(measure_here(transport), local_topology(2), json);
}

struct Shown {
  Topology topology;
  bool is_here;  // of this host, or this world
};

// The one that the command line names, else that of the world, else this host and process, or as
// many ranks on it as were asked for. Nothing on all ranks of a world but one.
std::optional<Shown> take_shown(Arguments& arguments) {
  const int ranks = arguments.number("--ranks", 0, 1, max_ranks);
  std::optional<Result<Topology>> given = take_topology(arguments);
  arguments.finish();
  if (ranks > 0 && (given || is_launched())) {
    throw UsageError("--ranks is for this host outside of a launcher, without another topology");
  }
  if (!given && is_launched()) {
    const Communicator world = Communicator::from_env();
    if (world.rank() != 0) return std::nullopt;
    return Shown{world.topology(), true};
  }
  if (ranks > 0) return Shown{this_host(ranks, true), true};
  return Shown{value_or_throw(given ? std::move(*given) : discover_topology()), !given};
}

}  // namespace

int topo_verb(std::span<char* const> args) {
  Arguments arguments(args);
  if (arguments.help()) {
    std::cout << help;
    return success;
  }
  if (arguments.flag("--costs")) return print_costs(arguments);
  const bool json = arguments.flag("--json");
  const bool text = arguments.flag("--text");
  if (json && text) throw UsageError("give one of --json and --text");
  const std::optional<Shown> shown = take_shown(arguments);
  if (!shown) return success;
  const Topology& topology = shown->topology;
  if (text || !shown->is_here) {
    std::cout << (json ? to_json(topology) : text ? to_text(topology) : draw_text(topology));
    return success;
  }
  const auto devices = find_devices();
  std::cout << (json ? with_devices(to_json(topology), devices)
                     : concat(draw_text(topology), "\n", devices_text(devices)));
  return success;
}

}  // namespace rondo::cli
