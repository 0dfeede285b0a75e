#include <algorithm>
#include <iostream>

#include "api/value_or_throw.hpp"
#include "base/text.hpp"
#include "cli/algorithms.hpp"
#include "cli/arguments.hpp"
#include "cli/machines.hpp"
#include "cli/topologies.hpp"
#include "cli/verbs.hpp"
#include "plan/arrange.hpp"
#include "plan/draw_routes.hpp"
#include "schedule/generators.hpp"

namespace rondo::cli {

namespace {

constexpr const char* help =
    "usage: rondo draw ALGORITHM COLLECTIVE RANKS [OPTION …] [--json | --svg FILE]\n"
    "       rondo draw SCHEDULE_FILE [--json | --svg FILE]\n"
    "       rondo draw ring --topo [WHERE] [--json | --svg FILE]\n"
    "       rondo draw TREE --topo [WHERE] [--collective C] [--root R] [--radix K]\n"
    "                                      [--json | --svg FILE]\n"
    "\n"
    "Draws who sends what to whom in which round, as text or as a picture; with --topo, the ring "
    "or\n"
    "the trees that go through the ranks of a topology, and what they cross.\n"
    "\n"
    "  --svg FILE    write an SVG picture; '-' is standard output\n"
    "  --json        what the drawing shows, for programs\n"
    "  WHERE         FILE, --xml FILE or --synthetic \"WORDS\", see rondo topo --help; else this "
    "host\n"
    "  TREE          chain_tree, which goes near to near; double_tree or knomial, in rank order\n"
    "  C             that the trees are for: allreduce (default), broadcast or reduce\n";

std::string help_text() {
  return help + root_and_radix_help(16) + hosts_help(16) + algorithms_help("  ALGORITHM", 16) +
         collectives_help("  COLLECTIVE", 16);
}

enum class Form { text, json, svg };

// The present host without a topology. A host without ranks gets one for each GPU or core.
Topology take_drawn_topology(Arguments& arguments) {
  std::optional<Result<Topology>> given = take_topology(arguments);
  arguments.finish();
  Topology topology = value_or_throw(given ? std::move(*given) : discover_topology());
  if (!given) topology.ranks.clear();  // this process alone is no ring
  return with_ranks(std::move(topology));
}

RouteMap take_routes(Arguments& arguments) {
  Plan plan;
  plan.root = arguments.number("--root", 0, 0, max_ranks);
  plan.radix = arguments.number("--radix", 2, 2, max_radix);
  plan.collective = take_collective(arguments);
  const std::optional<std::string> what = arguments.word();
  if (!what) throw UsageError("expected what to draw with --topo: 'ring' or a tree");
  plan.algorithm = parse_known_algorithm(*what);
  require_supported(plan.algorithm, plan.collective);
  const Topology topology = take_drawn_topology(arguments);
  const auto arrangement = value_or_throw(arrangement_for(topology));
  plan.ranks = arrangement->ranks();
  plan.arrangement = arrangement;
  value_or_throw(check_plan(plan));
  if (plan.algorithm == Algorithm::ring) return ring_through(topology, *arrangement);
  return value_or_throw(trees_of(topology, plan));
}

std::string drawing(const RouteMap& map, Form form) {
  return form == Form::json  ? routes_json(map)
         : form == Form::svg ? draw_routes_svg(map)
                             : draw_routes_text(map);
}

Result<std::string> drawing(const Schedule& schedule, Form form) {
  return form == Form::json  ? draw_json(schedule)
         : form == Form::svg ? draw_svg(schedule)
                             : draw_text(schedule);
}

}  // namespace

int draw_verb(std::span<char* const> args) {
  Arguments arguments(args);
  if (arguments.help()) {
    std::cout << help_text();
    return success;
  }
  const std::optional<std::string> svg = arguments.value("--svg");
  const bool json = arguments.flag("--json");
  if (svg && json) throw UsageError("give one of --json and --svg");
  const Form form = json ? Form::json : svg ? Form::svg : Form::text;
  const std::string path = svg.value_or("-");
  if (arguments.flag("--topo")) {
    write_file(path, drawing(take_routes(arguments), form));
    return success;
  }
  const Schedule schedule = value_or_throw(take_schedule(arguments, take_hosts(arguments)));
  write_file(path, value_or_throw(drawing(schedule, form)));
  return success;
}

}  // namespace rondo::cli
