#include "plan/explain.hpp"

#include <iostream>

#include "base/text.hpp"
#include "base/units.hpp"
#include "cli/algorithms.hpp"
#include "cli/arguments.hpp"
#include "cli/planned_world.hpp"
#include "cli/verbs.hpp"
#include "plan/uneven.hpp"

namespace rondo::cli {

namespace {

constexpr const char* help =
    "usage: rondo explain COLLECTIVE [SIZE] [OPTION …]\n"
    "       rondo run -n 4 -- rondo explain COLLECTIVE [SIZE]\n"
    "\n"
    "Which schedule a call would use, why, and what else there is. SIZE is that of the vector:\n"
    "4, 64K or 1MiB; a barrier has none. A 'v' after the collective, as in allgatherv, asks for\n"
    "blocks of different lengths; gatherv, scatterv and alltoallv have no SIZE, since not every\n"
    "rank is told it.\n"
    "\n"
    "  --json            for programs\n";

// The collective and its size.
Question take_question(Arguments& arguments, std::optional<std::string> word) {
  if (!word) word = arguments.word();
  if (!word) {
    throw UsageError(concat("name a collective: ", all_names<Collective>(collective_count)));
  }
  Question question;
  const bool has_v = word->ends_with('v');
  const auto even = has_v ? parse_collective(word->substr(0, word->size() - 1)) : std::nullopt;
  question.uneven = even && has_blocks(*even);
  question.collective = question.uneven ? *even : parse_known_collective(*word);
  question.about = *word;
  const bool sized = question.uneven ? all_know_lengths(question.collective)
                                     : question.collective != Collective::barrier;
  const std::optional<std::string> size = arguments.word();
  if (sized && !size) throw UsageError("say how many bytes, such as 1MiB");
  if (!sized && size) {
    throw UsageError(concat(
        question.uneven ? concat(*word, " is chosen without its size") : "a barrier moves no bytes",
        ": leave SIZE out"));
  }
  if (!size) return question;
  const std::optional<std::uint64_t> bytes = parse_bytes(*size);
  if (!bytes) throw UsageError(concat("a size is a number such as 64K or 1MiB, not '", *size, "'"));
  question.bytes = *bytes;
  question.about += concat(" of ", bytes_text(*bytes));
  return question;
}

}  // namespace

int explain_verb(std::span<char* const> args) {
  Arguments arguments(args);
  if (arguments.help()) {
    std::cout << help << collectives_help("  COLLECTIVE", 20) << "\n" << planned_world_help();
    return success;
  }
  const bool json = arguments.flag("--json");
  const std::optional<std::string> word = arguments.value("--collective");
  PlannedWorld world = take_planned_world(arguments);
  Question question = take_question(arguments, word);
  arguments.finish();
  question.about += concat(" ", world.place);
  question.costs = world.costs;
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
