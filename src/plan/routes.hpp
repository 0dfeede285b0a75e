#pragma once

// The ways of a ring or of trees through hosts and packages, for their drawings.

#include <map>
#include <string>
#include <vector>

#include "rondo/schedule.hpp"
#include "rondo/topology.hpp"

namespace rondo {

/// From a rank to the next one of a ring, or from a parent to its child in a tree.
struct Hop {
  int from = 0;
  int to = 0;
  PathClass path = PathClass::self;
};

/// A ring, or a tree.
struct Route {
  int first = 0;          ///< of the ring; the root of the tree
  std::vector<Hop> hops;  ///< in the order of the ring; by child in a tree
};

/// Consecutive ranks of the arrangement in one package.
struct Visit {
  int host = 0;
  int package = unknown;
  std::vector<int> ranks;
};

/// How often all routes together lead from one part of the world to another.
struct Crossing {
  std::string what;  ///< "host"
  int times = 0;
  int fewest = 0;  ///< that any such routes need
};

struct RouteMap {
  std::string title;  ///< "ring of 8 ranks on 2 hosts"
  bool is_ring = false;
  int ranks = 0;
  int hosts = 0;
  std::vector<Visit> visits;  ///< all ranks, near to near
  std::vector<Route> routes;  ///< one ring, or a tree for each part of the vector
  std::vector<Crossing> crossings;
  std::map<PathClass, int> paths;  ///< how many hops of each class
};

/// The package of a rank, or of the GPU that it works with.
int package_of(const Topology& topology, int rank);

/// The ring through all ranks in the order of an arrangement.
RouteMap ring_through(const Topology& topology, const Arrangement& arrangement);

/// The trees of a schedule: each channel on which every rank but one gets its result from just one
/// other, or passes its part to just one. Fails with unsupported where there is no such channel, or
/// another one too.
Result<RouteMap> trees_of(const Topology& topology, const Plan& plan);

}  // namespace rondo
