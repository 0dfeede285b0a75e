#pragma once

// simulate() over links that messages share, and with several workloads in turn.

#include <vector>

#include "check/flows.hpp"
#include "rondo/simulate.hpp"

namespace rondo {

/// The programs that stand for a plan on a machine: of one period of ranks, or of all.
struct Cast {
  std::vector<Program> programs;
  int ranks = 1;
};
Result<Cast> make_cast(const Plan& plan, const CostModel& model,
                       const SimulateOptions& options = {});
Result<Simulation> simulate_over(const Cast& cast, const CostModel& model, Flows* flows,
                                 const Workload& workload, const SimulateOptions& options);

/// As simulate(). With `flows`, wires are its links; without, each rank's ports.
Result<Simulation> simulate_over(const Plan& plan, const CostModel& model, Flows* flows,
                                 const Workload& workload, const SimulateOptions& options);
Result<Simulation> simulate_over(const Schedule& schedule, const CostModel& model, Flows* flows,
                                 const Workload& workload, const SimulateOptions& options);

}  // namespace rondo
