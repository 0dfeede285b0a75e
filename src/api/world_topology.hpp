#pragma once

// How a world comes to know its topology.

#include <memory>

#include "api/exchange.hpp"
#include "rondo/topology.hpp"

namespace rondo {

/// This process as rank 0 of a world of its own. Never fails: what cannot be found out stays
/// unknown. Looking takes some 10 ms, so it happens once a process, and what was seen is kept in
/// the cache folder until the system starts anew or its devices change. Any thread.
Topology own_topology();

/// The topology of a world whose ranks all live in this process.
Topology local_topology(int ranks);

/// Collective: everybody tells what it sees, one rank sends each machine that is built differently,
/// and all end with the same topology. Errors: mismatch where they do not, on all ranks.
Result<Topology> share_topology(Exchange& exchange, const Topology& own);

/// Collective: Error{mismatch} on all ranks where one of them has another topology.
Result<> agree_on_topology(Exchange& exchange, const Topology& topology);

}  // namespace rondo
