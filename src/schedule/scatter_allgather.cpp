// Broadcast of long vectors: M. Barnett, S. Gupta, D. G. Payne, L. Shuler, R. van de Geijn and
// J. Watts, "Interprocessor collective communication library (InterCom)", Scalable High-Performance
// Computing Conference 1994.
//
//   The root scatters the vector down a binomial tree, one segment a rank; then the segments go
//   round a ring. A rank inside the tree keeps the segments that it has passed on, so that the ring
//   brings each rank only what it lacks: every segment comes to every rank once. Subtrees are runs
//   of segments.

#include "schedule/builder.hpp"
#include "schedule/generators.hpp"
#include "schedule/tree.hpp"

namespace rondo {

namespace {

constexpr int channel = 0;
constexpr int binomial = 2;

std::uint32_t segments_of(int node, int count) {
  return static_cast<std::uint32_t>(knomial_subtree(binomial, node, count));
}

}  // namespace

Program scatter_allgather(const Plan& plan, int rank) {
  const auto ranks = static_cast<std::uint32_t>(plan.ranks);
  const auto own = static_cast<std::uint32_t>(rank);
  ProgramBuilder build(plan, rank, Shape{.blocks = 1, .segments = ranks});
  LateLane tx(build);
  LateLane rx(build);
  const auto vector = rank == 0 ? &in : &out;
  const TreePlace place = knomial_place(binomial, rank, plan.ranks);
  if (place.parent) {
    build.recv(rx, *place.parent, channel, out(own, segments_of(rank, plan.ranks)));
  }
  for (const int child : place.children) {
    build.send(tx, child, channel,
               vector(static_cast<std::uint32_t>(child), segments_of(child, plan.ranks)));
  }
  // Round the ring come the segments of the ranks before, the nearest first.
  const auto before = [&](std::uint32_t distance) { return (own + ranks - distance) % ranks; };
  const std::uint32_t next_has = rank + 1 < plan.ranks ? segments_of(rank + 1, plan.ranks) : ranks;
  const std::uint32_t has = segments_of(rank, plan.ranks);
  for (std::uint32_t distance = 0; distance < ranks; ++distance) {
    if (distance < ranks - next_has) {
      build.send(tx, rank + 1, channel, vector(before(distance), 1));
    }
    if (distance < ranks - has) {
      build.recv(rx, rank - 1, channel, out(before(distance + 1)));
    }
  }
  if (rank == 0) build.copy(build.new_lane(), in(0, ranks), out(0, ranks));
  return std::move(build).finish();
}

}  // namespace rondo
