#pragma once

// How the ranks of a communicator come to know what their links cost.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "api/exchange.hpp"
#include "rondo/simulate.hpp"

namespace rondo {

/// A class of paths, and the two ranks that stand for it: of those with the fastest ports the first
/// pair in rank order.
struct Representative {
  PathClass path = PathClass::host;
  int first = 0;
  int second = 0;
};

/// Every class that is present among the ranks, from near to far. In worlds of thousands of ranks
/// only some of each host are looked at.
std::vector<Representative> representatives(const Topology& topology,
                                            std::span<const PortCost> ports = {});

/// A class that could not be measured.
struct Unmeasured {
  Representative pair;
  ErrorCode why_not = ErrorCode::internal;
};
/// A line for whoever started the world: what is unknown, what is used instead, and what to do.
/// `table` has what is known.
std::string describe(const Unmeasured& one, const CostTable& table);

/// Collective: the same table on all ranks, bit by bit. Rank 0's counts: `given`, else what its
/// cache folder has for its machine and this transport. Unless it is given, what it lacks is
/// measured, and rank 0 keeps it in its cache folder: the classes, each between one pair of ranks
/// while the others wait, at most 200 ms each; and where there are several hosts and the port of
/// one is not known, the ports of all, between pairs of hosts at the same time, at most 200 ms in
/// all. A class that could not be measured is named by rank 0 on standard error. `context` is that
/// of the communicator; the patience of `exchange` is longer than `longest_measurement`.
/// Errors: those of the transport.
Result<CostTable> find_costs(Exchange& exchange, Engine& engine, const Topology& topology,
                             const std::optional<CostTable>& given, std::uint64_t context);

/// What the cache folder has under a name; nothing where there is none. A text that somebody broke
/// is named on standard error, once.
CostTable cached_costs(const std::string& name);

/// Where costs come from, in words: `given` is the file that was to be used, `name` is where they
/// would be kept.
std::string origin_of(const CostTable& costs, const std::string& given, const std::string& name);

/// Name in the cache folder of the costs that rank 0 of a world keeps. Ranks that share cores sleep
/// while they wait, so their links cost more: these have a text of their own.
std::string costs_name(const Topology& topology, std::string_view transport, bool may_spin);

}  // namespace rondo
