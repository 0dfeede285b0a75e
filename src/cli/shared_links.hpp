#pragma once

// `rondo simulate --flows`: schedules on the links of a network.

#include "cli/arguments.hpp"

namespace rondo::cli {

/// Takes the options of this kind of simulation, carries it out and prints it; the exit code.
int simulate_on_shared_links(Arguments& arguments);

/// The part of a help text about these options.
const char* shared_links_help();

}  // namespace rondo::cli
