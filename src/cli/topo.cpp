#include <iostream>

#include "base/text.hpp"
#include "cli/arguments.hpp"
#include "cli/costs.hpp"
#include "cli/topologies.hpp"
#include "cli/verbs.hpp"
#include "rondo/topology.hpp"

namespace rondo::cli {

namespace {

constexpr const char* help =
    "usage: rondo topo [--json | --text]\n"
    "       rondo topo --xml FILE [--json | --text]\n"
    "       rondo topo --synthetic \"WORDS\" [--json | --text]\n"
    "       rondo topo FILE [--json | --text]\n"
    "       rondo topo --costs [--transport NAME]\n"
    "\n"
    "Shows what is inside the hosts of a world, where its ranks live, and what lies between them:\n"
    "the present host and process, the machine of an hwloc XML file, a made-up world, or a text\n"
    "that --text has written. '-' reads standard input.\n"
    "\n"
    "  --xml FILE         as 'lstopo machine.xml' writes it\n"
    "  --synthetic WORDS  hosts from the outside to the inside, then what else there is:\n"
    "                       \"2 hosts x 2 packages x 8 cores, 2 nics of 200 gbit/s, 4 ranks\"\n"
    "                       \"16 x dgx-h100, fat tree of 4 hosts tapered 2:1\"\n"
    "                       \"64 hosts x 8 cores, dragonfly of 4 switches of 4 hosts\"\n"
    "                     and dgx-1, dgx-2, dgx-a100; numas, l3s and pus; 8 gpus with nvlink;\n"
    "                     one rank per host, package, numa, core, pu or gpu\n"
    "  --json             for programs\n"
    "  --text             in full, for RONDO_TOPOLOGY; src/topology/README.md describes the "
    "format\n"
    "  --costs            measures what the links between two ranks on this host cost, and prints\n"
    "                     it as text for RONDO_COSTS\n"
    "  --transport NAME   of these links: shm or tcp, as between processes, or inproc, as between\n"
    "                     threads\n";

int print_costs(Arguments& arguments) {
  const std::string transport = arguments.value("--transport").value_or("shm");
  arguments.finish();
  if (transport != "shm" && transport != "tcp" && transport != "inproc") {
    throw UsageError(concat("there is no transport '", transport, "'; known: shm, tcp, inproc"));
  }
  std::cout << to_text(measure_here(transport));
  return success;
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
  std::optional<Result<Topology>> given = take_topology(arguments);
  arguments.finish();
  if (json && text) throw UsageError("give one of --json and --text");
  const Result<Topology> topology = given ? std::move(*given) : discover_topology();
  if (!topology) throw topology.error();
  std::cout << (json   ? to_json(topology.value())
                : text ? to_text(topology.value())
                       : draw_text(topology.value()));
  return success;
}

}  // namespace rondo::cli
