#pragma once

// The world that `rondo explain` and `rondo plan` are about: the one that this process belongs to
// when a launcher started it, else one that the command line describes. Topology and costs are
// those that a communicator of this world would have, but that nothing is measured.

#include <optional>
#include <string>

#include "cli/arguments.hpp"
#include "plan/planner.hpp"
#include "rondo/communicator.hpp"
#include "rondo/topology.hpp"

namespace rondo::cli {

struct PlannedWorld {
  Planner planner;
  std::string place;                 ///< "among 4 ranks over tcp on this host"
  std::string costs;                 ///< where they come from, in words
  bool speaks = true;                ///< false on all ranks but one
  std::optional<Communicator> comm;  ///< with a launcher
};

/// Takes --transport, one of those between processes or "inproc".
std::optional<std::string> take_transport(Arguments& arguments);

/// Takes --topo, --xml, --machine, --ranks, --transport, --costs and --plan-file.
PlannedWorld take_planned_world(Arguments& arguments);
const char* planned_world_help();

/// So many ranks on this host, as `rondo run` would start them: on cores of their own, where there
/// are enough. Threads of one process are not bound.
Topology this_host(int ranks, bool processes);

/// Whether a launcher made this process one of several ranks.
bool is_launched();
/// What is asked for by RONDO_ALGORITHM, RONDO_PLAN_FILE and others, and by --plan-file.
Wishes take_wishes(Arguments& arguments);

}  // namespace rondo::cli
