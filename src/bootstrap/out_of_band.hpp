#pragma once

// A world of ranks that can exchange bytes already: nobody has to be found, and nobody leads.

#include <string>

#include "bootstrap/world.hpp"
#include "rondo/error.hpp"
#include "rondo/out_of_band.hpp"
#include "transport/control/membership.hpp"

namespace rondo {

/// Two calls of `outside.allgather`: who is on which host, and then how each rank is reached. Ranks
/// of one host listen on loopback; else on all interfaces, or where `launch` says, of which rank,
/// size and `listen` count. A rank that cannot take part calls it with the reason in place of an
/// agreement, so that the others are told.
/// Errors: that reason; join_failed on all other ranks, naming those that cannot take part, are of
/// another version or disagree. What `outside.allgather` throws is passed on.
Result<process::Membership> form_world(const Launch& launch, const OutOfBand& outside,
                                       const Result<std::string>& agreement);

}  // namespace rondo
