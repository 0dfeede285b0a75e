// Level 1 of the simulation: what the links of the network can carry.

#include <algorithm>

#include "base/text.hpp"
#include "check/simulation.hpp"

namespace rondo {

namespace {

Result<> check_fit(const Topology& topology, const CostModel& model) {
  if (static_cast<int>(topology.ranks.size()) != model.ranks) {
    return Error(ErrorCode::invalid_argument,
                 concat("a model of ", model.ranks, " ranks does not fit a topology of ",
                        topology.ranks.size()));
  }
  if (model.links.empty() || !model.class_of || !model.port_of) {
    return Error(ErrorCode::invalid_argument,
                 "a machine needs classes of links, class_of and port_of");
  }
  for (const Host& host : topology.hosts) {
    if (host.groups.size() == topology.network.levels.size()) continue;
    return Error(ErrorCode::invalid_argument,
                 concat("a host is in ", host.groups.size(), " groups, but the network has ",
                        topology.network.levels.size(), " levels"));
  }
  return {};
}

template <class What>
Result<FlowSimulation> run(const What& what, const Topology& topology, const CostModel& model,
                           const Workload& workload, const SimulateOptions& options,
                           Routing routing) {
  if (Result<> fit = check_fit(topology, model); !fit) return fit.error();
  CostModel shared = model;
  shared.period = network_period(topology, model);
  LinkMap links(topology, shared, routing);
  Flows flows(links);
  Result<Simulation> simulation = simulate_over(what, shared, &flows, workload, options);
  if (!simulation) return simulation.error();
  return FlowSimulation{.simulation = std::move(simulation).value(),
                        .links = flows.use(),
                        .solved = flows.solved(),
                        .remembered = flows.remembered()};
}

}  // namespace

Result<FlowSimulation> simulate_flows(const Plan& plan, const Topology& topology,
                                      const CostModel& model, const Workload& workload,
                                      const SimulateOptions& options, Routing routing) {
  return run(plan, topology, model, workload, options, routing);
}

Result<FlowSimulation> simulate_flows(const Schedule& schedule, const Topology& topology,
                                      const CostModel& model, const Workload& workload,
                                      const SimulateOptions& options, Routing routing) {
  return run(schedule, topology, model, workload, options, routing);
}

}  // namespace rondo
