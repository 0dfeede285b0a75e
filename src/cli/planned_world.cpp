#include "cli/planned_world.hpp"

#include <algorithm>
#include <cstdlib>
#include <numeric>

#include "api/state.hpp"
#include "base/text.hpp"
#include "bootstrap/world.hpp"
#include "plan/default_costs.hpp"
#include "topology/discover.hpp"

namespace rondo::cli {

namespace {

constexpr int usual_ranks = 4;

std::optional<std::string> process_environment(std::string_view variable) {
  const char* value = std::getenv(std::string(variable).c_str());
  if (value == nullptr) return std::nullopt;
  return value;
}

template <class T>
T value_or_throw(Result<T> result) {
  if (!result) throw result.error();
  return std::move(result).value();
}

// Of a described world the first ranks; of the present host as many as wanted, bound to nothing.
Topology take_topology(Arguments& arguments) {
  const std::optional<std::string> file = arguments.value("--topo");
  const std::optional<std::string> words = arguments.value("--machine");
  const int ranks = arguments.number("--ranks", 0, 1, max_ranks);
  if (file && words) throw UsageError("give one of --topo and --machine");
  if (!file && !words) {
    Topology topology = value_or_throw(discover_topology());
    topology.ranks.resize(static_cast<std::size_t>(ranks > 0 ? ranks : usual_ranks),
                          topology.ranks.at(0));
    return topology;
  }
  Topology topology;
  if (words) {
    topology = value_or_throw(synthetic_topology(*words));
  } else {
    Result<Topology> parsed = parse_topology(read_file(*file));
    if (!parsed) throw parsed.error().with_prefix(concat(*file, ": "));
    topology = std::move(parsed).value();
  }
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

PlannedWorld join_world(Arguments& arguments) {
  for (const char* option : {"--topo", "--machine", "--ranks", "--costs"}) {
    if (!arguments.value(option)) continue;
    throw UsageError(
        concat("option ", option, " describes a world; under a launcher there is one"));
  }
  Wishes wishes = take_wishes(arguments);
  Communicator comm = Communicator::from_env();
  const CostTable costs = costs_or_default(comm.costs(), comm.transport());
  Planner planner = value_or_throw(Planner::make(comm.topology(), costs, std::move(wishes)));
  const bool speaks = comm.rank() == 0;
  std::string place = concat("among ", comm.size(), " ranks over ", comm.transport());
  return {std::move(planner), std::move(place), "of this world", speaks, std::move(comm)};
}

}  // namespace

bool is_launched() {
  return value_or_throw(read_launch(process_environment)).size > 1;
}

Wishes take_wishes(Arguments& arguments) {
  Options options;
  options.plan_file = arguments.value("--plan-file");
  options = value_or_throw(read_options(process_environment, options));
  options.topology.reset();  // those of the world that this process would join
  options.costs.reset();
  return Settings::from(options).wishes;
}

PlannedWorld take_planned_world(Arguments& arguments) {
  if (is_launched()) return join_world(arguments);
  const std::optional<std::string> costs = arguments.value("--costs");
  CostTable table = default_costs("tcp");
  if (costs) {
    Result<CostTable> parsed = parse_cost_table(read_file(*costs));
    if (!parsed) throw parsed.error().with_prefix(concat(*costs, ": "));
    table = std::move(parsed).value();
  }
  Wishes wishes = take_wishes(arguments);
  Planner planner =
      value_or_throw(Planner::make(take_topology(arguments), table, std::move(wishes)));
  std::string place = concat("among ", planner.ranks(), " ranks");
  return {std::move(planner), std::move(place),
          costs ? concat("from ", *costs) : "not measured, plain constants", true, std::nullopt};
}

const char* planned_world_help() {
  return "The world; under 'rondo run' it is the present one, with its measured costs:\n"
         "\n"
         "  --topo FILE       as 'rondo topo --text' writes it\n"
         "  --machine WORDS   made up, as in 'rondo topo --synthetic'; \"2 hosts x 4 cores\"\n"
         "  --ranks N         so many of its ranks; without a topology, unbound ranks on the\n"
         "                    present host, 4 of them by default\n"
         "  --costs FILE      as 'rondo topo --costs' writes it; default: constants of plain TCP\n"
         "  --plan-file FILE  choices that were made before, as 'rondo tune --save' writes it\n"
         "\n"
         "RONDO_ALGORITHM, RONDO_RADIX, RONDO_TILE_BYTES and RONDO_PLAN_FILE count as in a run.\n";
}

}  // namespace rondo::cli
