#pragma once

// Ranks as processes: one control plane (control/), and for each link of data the best medium that
// reaches, shared memory (shm/) or a TCP connection (tcp/).

#include <cstdint>
#include <memory>
#include <vector>

#include "rondo/transport.hpp"
#include "transport/control/membership.hpp"

namespace rondo::process {

/// Connects the links over which failures are told (O(log size) a rank) and returns the world's
/// transport; data links open when operations first use them. All ranks call it.
/// Errors: join_failed naming the ranks that did not connect by the deadline; resource; io.
Result<std::unique_ptr<Transport>> make_transport(Membership membership,
                                                  Transport::Clock::time_point deadline);

/// All ranks of a world that make_transport() has made once more, or some of them: they call it
/// alike. `with_fabric`: the fabric of the membership carries the data where no memory is shared,
/// instead of TCP. `context` as in Transport::split().
Result<std::unique_ptr<Transport>> remake(const Transport& world, std::vector<int> members,
                                          std::uint64_t context, bool with_fabric);

}  // namespace rondo::process
