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

/// `--per-host` where nobody gave it: all ranks on one host.
inline constexpr int everybody = 1 << 20;

/// Takes `--per-host` and `--ports`, for schedules without a machine; one port where nothing is
/// said.
TwoLevel take_hosts(Arguments& arguments);

/// Takes `--machine NAME` and the options that change it.
NamedMachine take_machine(Arguments& arguments);

/// Lines of a help text about `--per-host` and `--ports`, which go on at `column`.
std::string hosts_help(std::size_t column);
/// The part of a help text about all of these options.
std::string machine_help();

}  // namespace rondo::cli
