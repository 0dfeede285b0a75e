#pragma once

// Topologies and costs that verbs take from their command lines.

#include <optional>
#include <string>

#include "cli/arguments.hpp"
#include "rondo/simulate.hpp"
#include "rondo/topology.hpp"

namespace rondo::cli {

/// Of topology text, or of an hwloc XML file; "-" is standard input.
Result<Topology> read_topology(const std::string& path, bool xml);

/// Of cost text; "-" is standard input. Throws Error naming the file, also where it has no links.
CostTable read_costs(const std::string& path);

/// Takes `--xml FILE`, `--synthetic WORDS` or the FILE of a topology text; nothing where there is
/// none of them.
std::optional<Result<Topology>> take_topology(Arguments& arguments);

/// For hosts without ranks: one for each of several GPUs, or else for each core.
Topology with_ranks(Topology topology);

}  // namespace rondo::cli
