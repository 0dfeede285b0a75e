#include <fstream>
#include <iostream>

#include "base/text.hpp"
#include "cli/algorithms.hpp"
#include "cli/arguments.hpp"
#include "cli/topologies.hpp"
#include "cli/verbs.hpp"
#include "plan/arrange.hpp"
#include "plan/draw_ring.hpp"

namespace rondo::cli {

namespace {

constexpr const char* help =
    "usage: rondo draw ALGORITHM COLLECTIVE RANKS [--root R] [--radix K] [--svg FILE]\n"
    "       rondo draw SCHEDULE_FILE [--svg FILE]\n"
    "       rondo draw ring --topo [FILE | --xml FILE | --synthetic \"WORDS\"] [--svg FILE]\n"
    "\n"
    "Draws who sends what to whom in which round, as text or as a picture; with --topo, the ring\n"
    "that goes through the ranks of a topology (see rondo topo --help), and what it crosses.\n"
    "\n"
    "  --svg FILE  write an SVG picture; '-' is standard output\n";

std::string help_text() {
  return help + root_and_radix_help(14) + algorithms_help("  ALGORITHM", 14) +
         collectives_help("  COLLECTIVE", 14);
}

// Without a topology the present host. A host without ranks gets one a GPU or core.
std::string draw_on_machines(Arguments& arguments, bool svg) {
  const std::optional<std::string> what = arguments.word();
  if (what != "ring") throw UsageError("with --topo, only a 'ring' can be drawn");
  std::optional<Result<Topology>> given = take_topology(arguments);
  arguments.finish();
  Result<Topology> found = given ? std::move(*given) : discover_topology();
  if (!found) throw found.error();
  if (!given) found.value().ranks.clear();  // this process alone is no ring
  const Topology topology = with_ranks(std::move(found).value());
  const auto arrangement = arrangement_for(topology);
  if (!arrangement) throw arrangement.error();
  return svg ? draw_ring_svg(topology, *arrangement.value())
             : draw_ring_text(topology, *arrangement.value());
}

}  // namespace

int draw_verb(std::span<char* const> args) {
  Arguments arguments(args);
  if (arguments.help()) {
    std::cout << help_text();
    return success;
  }
  const std::optional<std::string> svg = arguments.value("--svg");
  if (arguments.flag("--topo")) {
    write_file(svg.value_or("-"), draw_on_machines(arguments, svg.has_value()));
    return success;
  }
  const Result<Schedule> schedule = take_schedule(arguments);
  if (!schedule) throw schedule.error();
  const Result<std::string> drawing =
      svg ? draw_svg(schedule.value()) : draw_text(schedule.value());
  if (!drawing) throw drawing.error();
  write_file(svg.value_or("-"), drawing.value());
  return success;
}

}  // namespace rondo::cli
