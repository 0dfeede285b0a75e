#pragma once

// Which schedules a command line asks for.

#include <vector>

#include "cli/arguments.hpp"

namespace rondo::cli {

/// Takes `--collective C`; allreduce if there is none.
Collective take_collective(Arguments& arguments);

/// Takes the words that are left as algorithms; without any, all that know the collective.
std::vector<Algorithm> take_algorithms(Arguments& arguments, Collective collective);

}  // namespace rondo::cli
