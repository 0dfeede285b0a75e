#include <iostream>

#include "cli/algorithms.hpp"
#include "cli/arguments.hpp"
#include "cli/machines.hpp"
#include "cli/verbs.hpp"

namespace rondo::cli {

namespace {

constexpr const char* help =
    "usage: rondo schedule ALGORITHM COLLECTIVE RANKS [OPTION …] [--json]\n"
    "       rondo schedule FILE [--json]\n"
    "\n"
    "Prints what every rank does, one line a step. src/schedule/README.md describes the format;\n"
    "'rondo verify -' and 'rondo draw -' read it.\n"
    "\n"
    "  --json        the same for programs\n";

std::string help_text() {
  return help + algorithms_help("  ALGORITHM", 16) + collectives_help("  COLLECTIVE", 16) +
         root_and_radix_help(16) + hosts_help(16);
}

}  // namespace

int schedule_verb(std::span<char* const> args) {
  Arguments arguments(args);
  if (arguments.help()) {
    std::cout << help_text();
    return success;
  }
  const bool json = arguments.flag("--json");
  const Result<Schedule> schedule = take_schedule(arguments, take_hosts(arguments));
  if (!schedule) throw schedule.error();
  std::cout << (json ? to_json(schedule.value()) : to_text(schedule.value()));
  return success;
}

}  // namespace rondo::cli
