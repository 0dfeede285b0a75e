#include <iostream>

#include "cli/arguments.hpp"
#include "cli/verbs.hpp"

namespace rondo::cli {

namespace {

constexpr const char* help =
    "usage: rondo schedule ALGORITHM COLLECTIVE RANKS [--root R] [--radix K]\n"
    "       rondo schedule FILE\n"
    "\n"
    "Prints what every rank does, one line a step. src/schedule/README.md describes the format;\n"
    "'rondo verify -' and 'rondo draw -' read it.\n"
    "\n"
    "  ALGORITHM   ring, double_tree, one_shot, two_shot, knomial\n"
    "  COLLECTIVE  allreduce, broadcast, allgather, reduce_scatter, reduce, barrier\n"
    "  --root R    of broadcast and reduce; default 0\n"
    "  --radix K   of knomial; default 2\n";

}  // namespace

int schedule_verb(std::span<char* const> args) {
  Arguments arguments(args);
  if (arguments.help()) {
    std::cout << help;
    return success;
  }
  const Result<Schedule> schedule = take_schedule(arguments);
  if (!schedule) throw schedule.error();
  std::cout << to_text(schedule.value());
  return success;
}

}  // namespace rondo::cli
