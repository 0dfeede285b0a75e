#include "plan/explain.hpp"

#include <iostream>

#include "base/text.hpp"
#include "base/units.hpp"
#include "cli/arguments.hpp"
#include "cli/planned_world.hpp"
#include "cli/verbs.hpp"

namespace rondo::cli {

namespace {

constexpr const char* help =
    "usage: rondo explain COLLECTIVE [SIZE] [OPTION …]\n"
    "       rondo run -n 4 -- rondo explain COLLECTIVE [SIZE]\n"
    "\n"
    "Which schedule a call would use, why, and what else there is. SIZE is that of the vector:\n"
    "4, 64K or 1MiB; a barrier has none.\n"
    "\n"
    "  --json            for programs\n"
    "\n";

}  // namespace

int explain_verb(std::span<char* const> args) {
  Arguments arguments(args);
  if (arguments.help()) {
    std::cout << help << planned_world_help();
    return success;
  }
  const bool json = arguments.flag("--json");
  const std::optional<std::string> word = arguments.value("--collective");
  PlannedWorld world = take_planned_world(arguments);
  const std::optional<std::string> first = word ? word : arguments.word();
  const std::optional<Collective> collective =
      first ? parse_collective(*first) : std::optional<Collective>();
  if (!collective) {
    throw UsageError(first ? concat("unknown collective '", *first, "'") : "name a collective");
  }
  const std::optional<std::string> size = arguments.word();
  arguments.finish();
  const bool barrier = *collective == Collective::barrier;
  if (barrier == size.has_value()) {
    throw UsageError(barrier ? "a barrier moves no bytes: leave SIZE out"
                             : "say how many bytes, such as 1MiB");
  }
  const std::optional<std::uint64_t> bytes = parse_bytes(size.value_or("0"));
  if (!bytes) throw UsageError(concat("a size is a number such as 64K or 1MiB, not '", *size, "'"));
  Question question{*collective, *bytes, std::string(name(*collective))};
  if (!barrier) question.about += concat(" of ", bytes_text(*bytes));
  question.about += concat(" ", world.place, " (costs ", world.costs, ")");
  const Result<std::string> text =
      json ? explain_json(world.planner, question) : rondo::explain(world.planner, question);
  if (!text) throw text.error();
  for (const std::string& note : world.planner.take_notes()) {
    if (world.speaks) std::cerr << "rondo explain: " << note << "\n";
  }
  if (world.speaks) std::cout << text.value();
  return success;
}

}  // namespace rondo::cli
