#pragma once

// simulate() over links that messages share.

#include "check/flows.hpp"
#include "rondo/simulate.hpp"

namespace rondo {

/// As simulate(). With `flows`, wires are its links; without, each rank's ports.
Result<Simulation> simulate_over(const Plan& plan, const CostModel& model, Flows* flows,
                                 const Workload& workload, const SimulateOptions& options);
Result<Simulation> simulate_over(const Schedule& schedule, const CostModel& model, Flows* flows,
                                 const Workload& workload, const SimulateOptions& options);

}  // namespace rondo
