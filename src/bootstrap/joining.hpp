#pragma once

// The other ranks' side of forming a world: find rank 0, say hello, wait for the verdict.

#include <chrono>

#include "bootstrap/rendezvous.hpp"
#include "bootstrap/wire.hpp"
#include "bootstrap/world.hpp"
#include "rondo/error.hpp"
#include "transport/control/membership.hpp"

namespace rondo {

/// Rank 0 may come later, its file may be an old one, its port may be a stranger's: all that is
/// tried again until the join timeout. What rank 0 then says is final.
Result<process::Membership> join(const Launch& launch, const Rendezvous& place, wire::Hello hello,
                                 std::chrono::milliseconds join_timeout);

}  // namespace rondo
