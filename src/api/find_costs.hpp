#pragma once

// How the ranks of a communicator come to know what their links cost.

#include <cstdint>
#include <optional>
#include <utility>

#include "api/exchange.hpp"
#include "rondo/simulate.hpp"

namespace rondo {

/// A class of paths, and the two ranks that stand for it: the first pair in rank order.
struct Representative {
  PathClass path = PathClass::host;
  int first = 0;
  int second = 0;
};

/// Every class that is present among the ranks, from near to far. In worlds of thousands of ranks
/// only some of each host are looked at.
std::vector<Representative> representatives(const Topology& topology);

/// Collective: the same table on all ranks, bit by bit. Rank 0's counts: `given`, else what its
/// cache folder has for its machine and this transport. Unless it is given, the classes that it
/// lacks are measured, each between one pair of ranks while the others wait, at most 200 ms each,
/// and rank 0 keeps them in its cache folder. `context` is that of the communicator.
/// Errors: those of the transport.
Result<CostTable> find_costs(Exchange& exchange, Engine& engine, const Topology& topology,
                             const std::optional<CostTable>& given, std::uint64_t context);

/// Name in the cache folder of the costs that rank 0 of a world keeps. Ranks that share cores sleep
/// while they wait, so their links cost more: these have a text of their own.
std::string costs_name(const Topology& topology, std::string_view transport, bool may_spin);

}  // namespace rondo
