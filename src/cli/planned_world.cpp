#include "cli/planned_world.hpp"

#include <algorithm>
#include <numeric>

#include "api/cache_folder.hpp"
#include "api/device/measure.hpp"
#include "api/find_costs.hpp"
#include "api/state.hpp"
#include "api/value_or_throw.hpp"
#include "api/world_topology.hpp"
#include "base/text.hpp"
#include "bootstrap/environment.hpp"
#include "bootstrap/world.hpp"
#include "cli/binding.hpp"
#include "cli/devices.hpp"
#include "cli/topologies.hpp"
#include "execute/device/stream_clock.hpp"
#include "plan/default_costs.hpp"

namespace rondo::cli {

namespace {

constexpr int usual_ranks = 4;

// What the command line says of a world that no launcher made.
struct Described {
  std::optional<Topology> topology;
  std::string topology_words;  // of the one above
  int ranks = 0;               // 0: nothing was said
  std::optional<std::string> transport;
  std::optional<std::string> costs_file;
  bool devices = false;
};

Topology first_ranks(Topology topology, int ranks) {
  const auto described = static_cast<int>(topology.ranks.size());
  if (described == 0) throw UsageError("the topology has no ranks: add them, as in '4 ranks'");
  if (ranks > described) {
    throw UsageError(concat("the topology has ", described, " ranks, not ", ranks));
  }
  if (ranks == 0 || ranks == described) return topology;
  std::vector<int> first(static_cast<std::size_t>(ranks));
  std::iota(first.begin(), first.end(), 0);
  return subset(topology, first);
}

Described take_described(Arguments& arguments) {
  Described world;
  const std::optional<std::string> file = arguments.value("--topo");
  const std::optional<std::string> xml = arguments.value("--xml");
  const std::optional<std::string> words = arguments.value("--machine");
  if (file.has_value() + xml.has_value() + words.has_value() > 1) {
    throw UsageError("give one of --topo, --xml and --machine");
  }
  world.ranks = arguments.number("--ranks", 0, 1, max_ranks);
  world.transport = take_transport(arguments);
  world.costs_file = arguments.value("--costs");
  world.devices = arguments.flag("--devices");
  if (!file && !xml && !words) return world;
  world.topology_words = file ? *file : xml ? *xml : *words;
  Topology topology = value_or_throw(words ? synthetic_topology(*words)
                                           : read_topology(world.topology_words, xml.has_value()));
  if (xml) topology = with_ranks(std::move(topology));
  world.topology = first_ranks(std::move(topology), world.ranks);
  return world;
}

// Whether the ranks on the host of rank 0 wait without sleeping, as has_core_per_rank() would tell
// rank 0.
bool may_spin(const Topology& topology) {
  const Rank& first = topology.ranks.at(0);
  const auto on_its_host = std::count_if(topology.ranks.begin(), topology.ranks.end(),
                                         [&](const Rank& rank) { return rank.host == first.host; });
  const Host& host = topology.hosts.at(static_cast<std::size_t>(first.host));
  int all = 0;
  for (const Core& core : topology.machines.at(static_cast<std::size_t>(host.machine)).cores) {
    all += static_cast<int>(core.pus.size());
  }
  const int own = first.pus.empty() ? all : static_cast<int>(first.pus.size());
  return has_core_per_rank(static_cast<int>(on_its_host), own, all);
}

// What a communicator of these ranks would call its transport.
std::string transport_between(const Topology& topology, const std::string& wish) {
  if ((wish == "shm" || wish == "inproc") && topology.hosts.size() > 1) {
    throw UsageError(concat("transport ", wish, " connects ranks of one host, and these are on ",
                            topology.hosts.size(), "; choose auto, tcp or mpi"));
  }
  if (wish == "tcp" || wish == "mpi" || wish == "inproc") return wish;
  if (topology.hosts.size() <= 1) return "shm";
  return topology.ranks.size() > topology.hosts.size() ? "shm+tcp" : "tcp";
}

Options take_options(Arguments& arguments) {
  Options options;
  options.plan_file = arguments.value("--plan-file");
  return value_or_throw(read_options(process_environment, options));
}

PlannedWorld join_world(Arguments& arguments) {
  for (const char* option :
       {"--topo", "--xml", "--machine", "--ranks", "--transport", "--costs", "--devices"}) {
    const bool is_given = std::string_view(option) == "--devices"
                              ? arguments.flag(option)
                              : arguments.value(option).has_value();
    if (!is_given) continue;
    throw UsageError(
        concat("option ", option, " describes a world; under a launcher there is one"));
  }
  const Options options = take_options(arguments);
  Communicator comm = Communicator::from_env(options);
  const CostTable costs = costs_or_default(comm.costs(), comm.transport());
  Planner planner =
      value_or_throw(Planner::make(comm.topology(), costs, Settings::from(options).wishes));
  const bool speaks = comm.rank() == 0;
  const std::string name = costs_name(comm.topology(), comm.transport(), may_spin(comm.topology()));
  std::string place = concat("among ", comm.size(), " ranks over ", comm.transport());
  std::string origin =
      speaks ? origin_of(comm.costs(), options.costs.value_or(""), name) : std::string();
  return {std::move(planner), std::move(place), std::move(origin), speaks, std::move(comm)};
}

// Costs, and where they come from in words.
struct Priced {
  CostTable costs;
  std::string origin;
};

// What a described machine would cost that nobody has measured: its network and GPUs as fast as
// they are said to be, and memory by the way that the transport takes.
Result<Priced> nominal_of(const Topology& topology, const std::string& transport) {
  Result<CostTable> nominal = nominal_costs(topology);
  if (!nominal) return nominal.error();
  if (!transport.starts_with("shm")) {
    const CostTable plain = default_costs(transport);
    for (const PathClass path : {PathClass::package, PathClass::host}) {
      const auto index = static_cast<std::size_t>(path);
      nominal.value().links[index] = plain.links[index];
    }
  }
  return Priced{std::move(nominal).value(),
                "nominal speeds of the described machine, nothing was measured"};
}

// Those of a file, else what this machine kept, else what a described one says of itself.
Priced price(const Topology& topology, bool is_described, const std::string& transport,
             const CostTable& given, const std::string& given_by) {
  const std::string name = costs_name(topology, transport, may_spin(topology));
  const CostTable known = given_by.empty() ? cached_costs(name) : given;
  if (has_links(known) || !is_described) {
    return {costs_or_default(known, transport), origin_of(known, given_by, name)};
  }
  Result<Priced> nominal = nominal_of(topology, transport);
  if (nominal) return std::move(nominal).value();
  return {default_costs(transport), concat("plain defaults: ", nominal.error().text())};
}

// Of devices, where the costs say nothing of them: what connected ones have shown, else what the
// topology says.
Priced price_devices(const Topology& topology, Priced priced) {
  if (has_devices(priced.costs)) return priced;
  const std::string name = known_devices_name(topology);
  if (!name.empty()) add_cached_device_costs(name, priced.costs);
  if (has_devices(priced.costs)) {
    return {std::move(priced.costs), concat("measured, kept in ", cached_path(name))};
  }
  const Result<CostTable> nominal = nominal_costs(topology);
  if (nominal) {
    priced.costs.devices = nominal.value().devices;
    priced.costs.kernel_s = nominal.value().kernel_s;
  }
  return {std::move(priced.costs), "nominal speeds of the devices, nothing was measured"};
}

Planner planner_of(const Topology& topology, const CostTable& costs, bool devices,
                   const Wishes& wishes) {
  if (!devices) return value_or_throw(Planner::make(topology, costs, wishes));
  return make_device_planner(value_or_throw(make_device_model(topology, costs)), wishes);
}

// Where nothing else is said, the variables count as they would in a run.
PlannedWorld make_world(const Described& world, Options options) {
  if (world.topology) options.topology.reset();
  if (world.costs_file) options.costs.reset();
  const Settings settings = Settings::from(options, world.ranks);
  const int ranks = world.ranks > 0 ? world.ranks : usual_ranks;
  const std::string wish = world.transport.value_or(options.transport.value_or("auto"));
  const Topology topology = world.topology      ? *world.topology
                            : settings.topology ? first_ranks(*settings.topology, 0)
                                                : this_host(ranks, wish != "inproc");
  const std::string transport = transport_between(topology, wish);
  const CostTable given = world.costs_file ? read_costs(*world.costs_file)
                          : settings.costs ? *settings.costs
                                           : CostTable{};
  Priced priced = price(topology, world.topology || settings.topology, transport, given,
                        world.costs_file.value_or(settings.costs_file));
  if (world.devices) priced = price_devices(topology, std::move(priced));
  Planner planner = planner_of(topology, priced.costs, world.devices, settings.wishes);
  const std::string way = world.devices ? "from device to device" : concat("over ", transport);
  std::string place = concat("among ", planner.ranks(), " ranks ", way, " on ",
                             world.topology     ? world.topology_words
                             : options.topology ? *options.topology
                                                : "this host");
  return {std::move(planner), std::move(place), std::move(priced.origin), true, std::nullopt};
}

}  // namespace

Topology this_host(int ranks, bool processes) {
  Topology topology = local_topology(ranks);
  const std::vector<cpu_set_t> shares =
      processes ? divide_cpus(usable_cpus(), ranks) : std::vector<cpu_set_t>();
  for (std::size_t rank = 0; rank < shares.size(); ++rank) {
    std::erase_if(topology.ranks[rank].pus,
                  [&](int pu) { return !CPU_ISSET(static_cast<unsigned>(pu), &shares[rank]); });
  }
  return canonical(std::move(topology));
}

std::optional<std::string> take_transport(Arguments& arguments) {
  std::optional<std::string> wish = arguments.value("--transport");
  if (!wish || *wish == "inproc") return wish;
  std::string known;
  for (const std::string_view one : transports()) {
    if (*wish == one) return wish;
    known += concat(one, ", ");
  }
  throw UsageError(concat("--transport is one of ", known, "inproc, not '", *wish, "'"));
}

bool is_launched() {
  return value_or_throw(read_launch(process_environment)).size > 1;
}

Wishes take_wishes(Arguments& arguments) {
  Options options = take_options(arguments);
  options.topology.reset();  // those of the world that this process would join
  options.costs.reset();
  return Settings::from(options).wishes;
}

PlannedWorld take_planned_world(Arguments& arguments) {
  if (is_launched()) return join_world(arguments);
  const Described world = take_described(arguments);
  return make_world(world, take_options(arguments));
}

const char* planned_world_help() {
  return "The world; under 'rondo run' it is the present one, with its measured costs:\n"
         "\n"
         "  --topo FILE       as 'rondo topo --text' writes it; default RONDO_TOPOLOGY\n"
         "  --xml FILE        the machine of an hwloc XML file, a rank on each core or GPU\n"
         "  --machine WORDS   made up, as in 'rondo topo --synthetic'; \"2 hosts x 4 cores\"\n"
         "  --ranks N         so many of its ranks; without a topology so many on this host, as\n"
         "                    'rondo run' starts them, 4 by default\n"
         "  --transport T     auto (default), shm or tcp, as between processes, or inproc, as\n"
         "                    between threads\n"
         "  --costs FILE      as 'rondo topo --costs' writes it; default RONDO_COSTS, then what\n"
         "                    earlier runs on this machine measured, then the nominal speeds of a\n"
         "                    machine that is described, then plain constants\n"
         "  --devices         from device to device, among ranks whose devices are connected\n"
         "  --plan-file FILE  choices that were made before, as 'rondo tune --save' writes it\n"
         "\n"
         "RONDO_ALGORITHM, RONDO_RADIX, RONDO_TILE_BYTES and RONDO_PLAN_FILE count as in a run.\n"
         "A file that cannot be used is an error here, also where a variable names it; a run says\n"
         "so and goes on without it.\n";
}

}  // namespace rondo::cli
