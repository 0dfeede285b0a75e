#pragma once

// Ranks as processes: one control plane (control/), and for each link of data the best medium that
// reaches, shared memory (shm/) or a TCP connection (tcp/).

#include <memory>

#include "rondo/transport.hpp"
#include "transport/control/membership.hpp"

namespace rondo::process {

/// Connects the links over which failures are told (O(log size) a rank) and returns the world's
/// transport; data links open when operations first use them. All ranks call it.
/// Errors: join_failed naming the ranks that did not connect by the deadline; resource; io.
Result<std::unique_ptr<Transport>> make_transport(Membership membership,
                                                  Transport::Clock::time_point deadline);

}  // namespace rondo::process
