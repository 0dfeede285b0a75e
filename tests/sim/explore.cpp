#include <limits>

#include "base/text.hpp"
#include "sim/simulation.hpp"

namespace rondo::sim {

namespace {

// One of several ways to go on.
struct Choice {
  std::size_t taken = 0;
  std::size_t options = 0;
};

// Runs all ranks as far as they can; what one releases may let another one go on.
void run_all(World& world) {
  for (bool moved = true; moved;) {
    moved = false;
    for (int rank = 0; rank < world.size(); ++rank) moved = world.run(rank) || moved;
  }
}

// Ranks meet only in the network, so that the order of deliveries decides everything: all ranks go
// as far as they can, then one message is moved.
std::optional<std::string> follow(const std::vector<Job>& jobs, bool lends, bool absorbs,
                                  std::vector<Choice>& path) {
  Network network(jobs.front().task.plan.ranks, lends, Fault::none);
  World world(jobs, network);
  for (std::size_t depth = 0;; ++depth) {
    run_all(world);
    if (world.failure()) return world.failure();
    if (network.failure()) return network.failure();
    if (world.finished()) return std::nullopt;
    const std::vector<Route> movable = network.movable();
    const std::vector<Route> absorbable = absorbs ? network.absorbable() : std::vector<Route>{};
    const std::size_t options = movable.size() + absorbable.size();
    if (options == 0) return concat("no rank can go on\n", world.dump());
    if (depth == path.size()) path.push_back({0, options});
    const std::size_t taken = path[depth].taken;
    if (taken < movable.size()) {
      network.move(movable[taken], std::numeric_limits<std::size_t>::max());
    } else {
      network.absorb(absorbable[taken - movable.size()]);
    }
  }
}

}  // namespace

Exploration explore(const Job& job, bool lends, bool absorbs, std::uint64_t most_orders) {
  const std::vector<Job> jobs = {job};
  Exploration exploration;
  std::vector<Choice> path;
  while (exploration.orders < most_orders) {
    exploration.failure = follow(jobs, lends, absorbs, path);
    ++exploration.orders;
    if (exploration.failure) return exploration;
    while (!path.empty() && path.back().taken + 1 == path.back().options) path.pop_back();
    if (path.empty()) {
      exploration.complete = true;
      return exploration;
    }
    ++path.back().taken;
  }
  return exploration;
}

}  // namespace rondo::sim
