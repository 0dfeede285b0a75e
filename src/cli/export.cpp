#include "rondo/export_formats.hpp"

#include <array>
#include <iostream>

#include "base/text.hpp"
#include "cli/algorithms.hpp"
#include "cli/amounts.hpp"
#include "cli/arguments.hpp"
#include "cli/machines.hpp"
#include "cli/verbs.hpp"
#include "schedule/text.hpp"

namespace rondo::cli {

namespace {

constexpr const char* help =
    "usage: rondo export --format FORMAT ALGORITHM COLLECTIVE RANKS [OPTION …]\n"
    "       rondo export --format FORMAT SCHEDULE_FILE [OPTION …]\n"
    "\n"
    "Writes a schedule in the format of another tool:\n"
    "\n"
    "  goal      for LogGOPSim and ATLAHS; sums and copies take the time of --machine\n"
    "  msccl     XML that MSCCL runs on GPUs, a chunk for each segment\n"
    "  dot       the graph of all steps; 'dot -Tsvg' of Graphviz draws it\n"
    "  chrome    simulated on --machine, for chrome://tracing or ui.perfetto.dev\n"
    "\n"
    "  -o FILE     where to; default '-', standard output\n"
    "  --json      the format, the plan and the text as one line of JSON\n"
    "  --size S    bytes of the vector for goal and chrome; default 1M\n"
    "  --tile S    for chrome: bytes of a segment moved at once, default 0: whole segments\n";

std::string help_text() {
  return help + root_and_radix_help(14) + algorithms_help("  ALGORITHM", 14) +
         collectives_help("  COLLECTIVE", 14) + "\n" + machine_help() +
         "\nOf these msccl and dot have --per-host and --ports, for two_level and chain_tree.\n";
}

constexpr std::uint64_t most_bytes = std::uint64_t{1} << 40;

enum class Format { goal, msccl, dot, chrome };
constexpr std::array<std::string_view, 4> format_names = {"goal", "msccl", "dot", "chrome"};

struct Request {
  Format format = Format::goal;
  Workload workload;
  NamedMachine machine;
};

Format take_format(Arguments& arguments) {
  const std::optional<std::string> text = arguments.value("--format");
  for (std::size_t i = 0; i < format_names.size(); ++i) {
    if (text == format_names[i]) return static_cast<Format>(i);
  }
  throw UsageError(concat("--format is goal, msccl, dot or chrome",
                          text ? concat(", not '", *text, "'") : std::string()));
}

std::string chrome_trace(const Schedule& schedule, const Request& request) {
  TwoLevel hosts = request.machine.hosts;
  hosts.ranks = schedule.plan.ranks;
  const Result<CostModel> model = make_cost_model(hosts);
  if (!model) throw model.error();
  const Result<Simulation> simulation =
      simulate(schedule, model.value(), request.workload, {.record = true});
  if (!simulation) throw simulation.error();
  return to_chrome_trace(schedule, simulation.value().steps);
}

Result<std::string> exported(const Schedule& schedule, const Request& request) {
  switch (request.format) {
    case Format::goal:
      return to_goal(schedule, {.bytes = request.workload.bytes,
                                .element_bytes = request.workload.element_bytes,
                                .reduce_byte_s = request.machine.hosts.reduce_byte_s,
                                .copy_byte_s = request.machine.hosts.copy_byte_s});
    case Format::msccl:
      return to_msccl_xml(schedule);
    case Format::dot:
      return to_dot(schedule);
    case Format::chrome:
      break;
  }
  return chrome_trace(schedule, request);
}

std::string wrapped(const Schedule& schedule, const Request& request, const std::string& text) {
  const std::string_view format = format_names[static_cast<std::size_t>(request.format)];
  return concat("{\"format\":", json_text(format), ",\"plan\":", plan_json(schedule.plan),
                ",\"text\":", json_text(text), "}\n");
}

}  // namespace

int export_verb(std::span<char* const> args) {
  Arguments arguments(args);
  if (arguments.help()) {
    std::cout << help_text();
    return success;
  }
  Request request;
  request.format = take_format(arguments);
  const std::string path = arguments.value("-o").value_or("-");
  const bool json = arguments.flag("--json");
  // Graphs and programs of chunks have no sizes, and of a machine only its hosts: other options are
  // unknown.
  if (request.format == Format::goal || request.format == Format::chrome) {
    const std::string size = arguments.value("--size").value_or("1M");
    request.workload.bytes = parse_amounts("--size", size, 0, most_bytes, 2).front();
    request.machine = take_machine(arguments);
  } else {
    request.machine.hosts = take_hosts(arguments);
  }
  if (request.format == Format::chrome) {
    const std::string tile = arguments.value("--tile").value_or("0");
    request.workload.tile_bytes = parse_amounts("--tile", tile, 0, most_bytes, 2).front();
  }
  const Result<Schedule> schedule = take_schedule(arguments, request.machine.hosts);
  if (!schedule) throw schedule.error();
  const Result<std::string> text = exported(schedule.value(), request);
  if (!text) throw text.error();
  write_file(path, json ? wrapped(schedule.value(), request, text.value()) : text.value());
  return success;
}

}  // namespace rondo::cli
