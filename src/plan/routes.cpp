#include "plan/routes.hpp"

#include <set>
#include <utility>

#include "base/text.hpp"
#include "plan/arrange.hpp"

namespace rondo {

namespace {

std::string number_of(int count, std::string_view one, std::string_view many) {
  return concat(count, " ", count == 1 ? one : many);
}

// Rings lead back to where they began, trees do not.
int fewest_of(int of_rings, bool is_ring) {
  return is_ring || of_rings == 0 ? of_rings : of_rings - 1;
}

void note_crossings(RouteMap& map, const Topology& topology) {
  std::vector<std::pair<int, int>> hops;
  for (const Route& route : map.routes) {
    for (const Hop& hop : route.hops) hops.emplace_back(hop.from, hop.to);
  }
  const Crossings ours = crossings(hops, topology);
  const Crossings fewest = fewest_crossings(topology);
  const auto routes = static_cast<int>(map.routes.size());
  const auto note = [&](std::string what, int times, int of_rings) {
    if (times == 0) return;
    map.crossings.push_back({std::move(what), times, routes * fewest_of(of_rings, map.is_ring)});
  };
  for (std::size_t level = 0; level < ours.network.size(); ++level) {
    note(topology.network.levels[level].name, ours.network[level], fewest.network[level]);
  }
  note("host", ours.hosts, fewest.hosts);
  note("package", ours.packages, fewest.packages);
  note("NUMA node", ours.numas, fewest.numas);
  if (fewest.l3s != fewest.numas) note("L3 cache", ours.l3s, fewest.l3s);
}

// Everything but what the routes themselves are.
RouteMap map_of(const Topology& topology, const Arrangement& arrangement, std::string_view what,
                bool is_ring, std::vector<Route> routes) {
  RouteMap map;
  map.is_ring = is_ring;
  map.ranks = arrangement.ranks();
  std::set<int> hosts;
  for (const int index : arrangement.order()) {
    const int host = topology.ranks.at(static_cast<std::size_t>(index)).host;
    const int package = package_of(topology, index);
    hosts.insert(host);
    const bool stays = !map.visits.empty() && map.visits.back().host == host &&
                       map.visits.back().package == package;
    if (!stays) map.visits.push_back({host, package, {}});
    map.visits.back().ranks.push_back(index);
  }
  map.hosts = static_cast<int>(hosts.size());
  map.title = concat(what, " of ", number_of(map.ranks, "rank", "ranks"), " on ",
                     number_of(map.hosts, "host", "hosts"));
  map.routes = std::move(routes);
  for (Route& route : map.routes) {
    for (Hop& hop : route.hops) {
      hop.path = path_class(topology, hop.from, hop.to);
      ++map.paths[hop.path];
    }
  }
  note_crossings(map, topology);
  return map;
}

// The edges of the trees of a plan, by channel; from parent to child.
using Edges = std::map<int, std::set<std::pair<int, int>>>;

Result<Edges> edges_of(const Plan& plan) {
  Edges edges;
  for (int rank = 0; rank < plan.ranks; ++rank) {
    const Result<Program> program = make_program(plan, rank);
    if (!program) return program.error();
    for (const Step& step : program.value().steps) {
      if (step.op != StepOp::recv) continue;
      // What is added up comes from children, what is taken as it is from the parent.
      const auto edge =
          step.accumulates() ? std::pair(rank, step.peer) : std::pair(step.peer, rank);
      edges[step.channel].insert(edge);
    }
  }
  return edges;
}

// Nothing where some rank has two parents, or none though it is not the only one, or where a parent
// is its own descendant.
std::optional<Route> tree_of(const std::set<std::pair<int, int>>& edges, int ranks) {
  std::vector<int> parents(static_cast<std::size_t>(ranks), -1);
  for (const auto& [parent, child] : edges) {
    if (std::exchange(parents[static_cast<std::size_t>(child)], parent) != -1) return std::nullopt;
  }
  if (edges.size() + 1 != parents.size()) return std::nullopt;
  Route route;
  for (int rank = 0; rank < ranks; ++rank) {
    const int parent = parents[static_cast<std::size_t>(rank)];
    if (parent == -1) route.first = rank;
    if (parent != -1) route.hops.push_back({parent, rank});
  }
  std::vector<int> reached = {route.first};
  for (std::size_t i = 0; i < reached.size(); ++i) {
    const int parent = reached[i];
    for (auto edge = edges.lower_bound({parent, 0}); edge != edges.end(); ++edge) {
      if (edge->first != parent) break;
      reached.push_back(edge->second);
    }
  }
  if (reached.size() != parents.size()) return std::nullopt;
  return route;
}

}  // namespace

int package_of(const Topology& topology, int index) {
  const Rank& rank = topology.ranks.at(static_cast<std::size_t>(index));
  const Host& host = topology.hosts.at(static_cast<std::size_t>(rank.host));
  const Machine& machine = topology.machines.at(static_cast<std::size_t>(host.machine));
  if (rank.gpu == unknown) return place_of(machine, rank.pus).package;
  return machine.gpus.at(static_cast<std::size_t>(rank.gpu)).package;
}

RouteMap ring_through(const Topology& topology, const Arrangement& arrangement) {
  Route ring{.first = arrangement.rank_at(0), .hops = {}};
  const int ranks = arrangement.ranks();
  for (int position = 0; position < ranks; ++position) {
    ring.hops.push_back(
        {arrangement.rank_at(position), arrangement.rank_at((position + 1) % ranks)});
  }
  return map_of(topology, arrangement, "ring", true, {std::move(ring)});
}

Result<RouteMap> trees_of(const Topology& topology, const Plan& plan) {
  const auto arrangement = arrangement_for(topology);
  if (!arrangement) return arrangement.error();
  const Result<Edges> edges = edges_of(plan);
  if (!edges) return edges.error();
  const std::string what = concat(name(plan.algorithm), " ", name(plan.collective));
  std::vector<Route> trees;
  for (const auto& [channel, of_channel] : edges.value()) {
    std::optional<Route> tree = tree_of(of_channel, plan.ranks);
    if (!tree) {
      return Error(ErrorCode::unsupported, concat("a ", what, " is neither a ring nor trees"));
    }
    trees.push_back(std::move(*tree));
  }
  return map_of(topology, *arrangement.value(), what, false, std::move(trees));
}

}  // namespace rondo
