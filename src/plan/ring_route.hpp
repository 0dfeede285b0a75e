#pragma once

// The way of a ring through packages, for its drawings.

#include <map>
#include <string>
#include <vector>

#include "rondo/schedule.hpp"
#include "rondo/topology.hpp"

namespace rondo {

struct RingStop {
  int rank = 0;
  PathClass onward = PathClass::self;  ///< to the next stop
};

/// Consecutive stops in one package.
struct RingVisit {
  int host = 0;
  int package = unknown;
  std::vector<RingStop> stops;
};

struct RingRoute {
  std::string title;  ///< "ring of 8 ranks on 2 hosts"
  std::vector<RingVisit> visits;
  std::map<PathClass, int> paths;  ///< how many edges of each class
};

RingRoute route_of(const Topology& topology, const Arrangement& arrangement);

}  // namespace rondo
