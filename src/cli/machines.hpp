#pragma once

// The machines that `rondo simulate` knows by name, and the options that change their constants.

#include <string>

#include "cli/arguments.hpp"
#include "rondo/simulate.hpp"

namespace rondo::cli {

struct NamedMachine {
  std::string name;
  TwoLevel hosts;  ///< of one rank; the caller fills `ranks` in
};

/// Takes `--machine NAME` and the options that change it.
NamedMachine take_machine(Arguments& arguments);

/// The part of a help text about these options.
std::string machine_help();

}  // namespace rondo::cli
