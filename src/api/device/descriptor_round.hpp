#pragma once

// How the descriptors of memory get from its owners to all other processes of the host: each owner
// opens a door, which is a Unix socket, and the others come there and take them.

#include <functional>
#include <string>
#include <vector>

#include "api/exchange.hpp"
#include "device/peer_cache.hpp"

namespace rondo {

/// Collective: whether all is well everywhere. Errors: those of the transport.
using Agreement = std::function<Result<bool>(const Result<>& own)>;

/// Collective, among ranks of one host. `memories` is what each rank has, alike on all of them, and
/// `own` the parts of this rank's, if it goes by descriptors. By rank, what others' go by, where
/// they are other processes. False where some rank did not get it, as `agree` tells all of them.
Result<bool> pass_parts(Exchange& exchange, const std::vector<PeerMemory>& memories,
                        const MemoryParts& own, const Agreement& agree,
                        std::vector<MemoryParts>& got);

}  // namespace rondo
