#include <iostream>
#include <map>

#include "base/text.hpp"
#include "base/units.hpp"
#include "cli/algorithms.hpp"
#include "cli/amounts.hpp"
#include "cli/arguments.hpp"
#include "cli/chart.hpp"
#include "cli/planned_world.hpp"
#include "cli/verbs.hpp"
#include "plan/device_plan.hpp"
#include "plan/explain.hpp"
#include "schedule/text.hpp"

namespace rondo::cli {

namespace {

constexpr const char* help =
    "usage: rondo plan [OPTION …]\n"
    "       rondo run -n 4 -- rondo plan\n"
    "\n"
    "The schedules for all collectives and sizes.\n"
    "\n"
    "  --collective C    this one only\n"
    "  --json            for programs: a line for each collective\n"
    "  --svg FILE        a chart of the predicted times of all candidates for one collective,\n"
    "                    allreduce by default; '-' is standard output\n"
    "\n";

constexpr std::uint64_t first_charted = 4;
constexpr std::uint64_t last_charted = 64 << 20;

std::string chart_of(PlannedWorld& world, Collective collective) {
  std::map<std::string, std::vector<std::pair<double, double>>> lines;
  for (std::uint64_t bytes = first_charted; bytes <= last_charted; bytes *= 4) {
    const auto predictions = world.planner.predict(collective, bytes);
    if (!predictions) throw predictions.error();
    // The fastest come first, so the first of a plan has its best tiles.
    std::map<std::string, double> best;
    for (const Prediction& one : predictions.value()) {
      best.try_emplace(describe({one.candidate.plan, 0}), one.seconds());
    }
    for (const auto& [plan, seconds] : best) {
      if (seconds > 0) lines[plan].emplace_back(static_cast<double>(bytes), seconds);
    }
  }
  Chart chart{.title = concat(name(collective), " ", world.place),
              .subtitle = concat("predicted with the best tiles; costs: ", world.costs),
              .x_axis = "size of the vector",
              .y_axis = "time",
              .x_text = [](double x) { return bytes_text(static_cast<std::uint64_t>(x)); },
              .y_text = seconds_text,
              .series = {}};
  for (auto& [plan, points] : lines) chart.series.push_back({plan, std::move(points)});
  return draw_chart(chart);
}

std::string text_of(PlannedWorld& world, const std::vector<Collective>& collectives) {
  std::string text = concat("Schedules ", world.place, "\ncosts: ", world.costs, "\n");
  for (const Collective collective : collectives) {
    const Result<std::string> ranges = ranges_text(world.planner, collective);
    if (!ranges) throw ranges.error();
    text += concat("\n", name(collective), "\n", ranges.value());
  }
  return text;
}

std::string json_of(PlannedWorld& world, const std::vector<Collective>& collectives) {
  std::string text;
  for (const Collective collective : collectives) {
    const Result<std::string> ranges = ranges_json(world.planner, collective);
    if (!ranges) throw ranges.error();
    text += concat("{\"collective\":\"", name(collective), "\",\"ranks\":", world.planner.ranks(),
                   ",\"costs\":", json_text(world.costs), ",\"ranges\":", ranges.value(), "}\n");
  }
  return text;
}

}  // namespace

int plan_verb(std::span<char* const> args) {
  Arguments arguments(args);
  if (arguments.help()) {
    std::cout << help << collectives_help("  C", 20) << "\n" << planned_world_help();
    return success;
  }
  const bool json = arguments.flag("--json");
  const std::optional<std::string> svg = arguments.value("--svg");
  const std::optional<std::string> one = arguments.value("--collective");
  std::vector<Collective> collectives;
  if (one) collectives.push_back(parse_known_collective(*one));
  for (int i = 0; !one && i < collective_count; ++i) {
    const auto collective = static_cast<Collective>(i);
    if (!algorithm_names(collective).empty()) collectives.push_back(collective);
  }
  PlannedWorld world = take_planned_world(arguments);
  arguments.finish();
  const bool all_go = one || world.planner.tells_messages();
  std::erase_if(collectives, [&](Collective each) { return !all_go && !has_device_plan(each); });
  if (svg && collectives.front() == Collective::barrier) {
    throw UsageError("a barrier has no sizes to chart");
  }
  const std::string chart = svg ? chart_of(world, collectives.front()) : std::string();
  const std::string text = svg.value_or("") == "-" ? std::string()
                           : json                  ? json_of(world, collectives)
                                                   : text_of(world, collectives);
  for (const std::string& note : world.planner.take_notes()) {
    if (world.speaks) std::cerr << "rondo plan: " << note << "\n";
  }
  if (!world.speaks) return success;
  if (svg) write_file(*svg, chart);
  std::cout << text;
  return success;
}

}  // namespace rondo::cli
