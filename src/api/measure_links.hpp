#pragma once

// Measuring what links and ranks cost, by the calls that users make.

#include <chrono>
#include <memory>

#include "plan/fit.hpp"
#include "rondo/simulate.hpp"
#include "rondo/transport.hpp"

namespace rondo {

/// No measurement takes longer than this, whatever the link: who waits for its result must have
/// more patience.
inline constexpr std::chrono::milliseconds longest_measurement(20'000);

/// What this rank's processor costs: a call before its first step, a byte that is reduced or
/// copied. `alone` is the transport of a communicator of this rank only. Takes a few ms.
CostTable measure_rank(std::unique_ptr<Transport> alone, bool may_spin);

/// What the link between two ranks costs. Both call it, with a transport between them alone; rank 0
/// gets the costs. Calls of several sizes are carried out in turns until `budget` is used up, then
/// the constants are fitted to their times. On a slow link, fewer and shorter ones are measured:
/// what fits into the budget, see Agenda. `pair` is the topology of the two, `rank` the result of
/// measure_rank. Ranks that may not spin have to share a processor with others: two that can are
/// kept on one core, as in such a world a message is the processors' work, and not that of an idle
/// core that has to wake up. Errors: those of the transport; timeout where calls of few bytes took
/// seconds.
Result<FittedCosts> measure_link(std::unique_ptr<Transport> between, bool may_spin,
                                 const Topology& pair, const CostTable& rank,
                                 std::chrono::microseconds budget);

/// What the slower one of two hosts' ports carries, in seconds a byte, both ways at once and for as
/// long as the budget lasts: a link may pass some bytes faster after a pause. As above; rank 0 gets
/// the figure.
Result<double> measure_ports(std::unique_ptr<Transport> between, bool may_spin,
                             std::chrono::microseconds budget);

}  // namespace rondo
