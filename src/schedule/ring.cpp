// The bandwidth-optimal ring: P. Patarasuk and X. Yuan, "Bandwidth optimal all-reduce algorithms
// for clusters of workstations", J. Parallel Distrib. Comput. 69 (2009).
//
//   reduce-scatter: in round k each rank passes the partial sum of one segment to its successor and
//   adds its own part to the partial sum of the next segment, which its predecessor passes; after
//   p-1 rounds it holds one complete segment. allgather: complete segments go round once more.
//
//   Several channels are several rings, each with a part of every block. The segments of an
//   allreduce belong to positions in the ring, those of blocks to the block's rank.

#include <algorithm>

#include "schedule/generators.hpp"
#include "schedule/phases.hpp"

namespace rondo {

namespace {

RingPlace place_in(const Plan& plan, const RingOrder& order, int rank) {
  const int position = order.position_of(rank);
  return {position, plan.ranks, order.rank_at((position + 1) % plan.ranks),
          order.rank_at((position + plan.ranks - 1) % plan.ranks)};
}

Way way_of(int number) {
  return {number, 2 * number, 2 * number + 1};
}

void ring_allreduce(ProgramBuilder& build, const RingPlace& place, int ring) {
  const Plan& plan = build.plan();
  const Parts parts{
      [&](int position) { return Run{static_cast<std::uint32_t>(ring * plan.ranks + position)}; }};
  ring_reduce_scatter(build, place, way_of(ring), {.parts = parts});
  ring_allgather(build, place, way_of(ring), parts);
}

}  // namespace

Program ring(const Plan& plan, int rank) {
  const auto ranks = static_cast<std::uint32_t>(plan.ranks);
  const auto rings = static_cast<std::uint32_t>(plan.channels);
  Shape shape{.blocks = ranks, .segments = rings};
  if (plan.collective == Collective::allreduce) shape = {.blocks = 1, .segments = rings * ranks};
  ProgramBuilder build(plan, rank, shape);
  if (plan.collective == Collective::allgather) {
    build.copy(0, in(0, rings), out(static_cast<std::uint32_t>(rank) * rings, rings));
  }
  for (int ring = 0; ring < plan.channels; ++ring) {
    const RingOrder order(plan, ring);
    const RingPlace place = place_in(plan, order, rank);
    const auto segment = static_cast<std::uint32_t>(ring);
    const Parts parts{[&](int position) {
      return Run{static_cast<std::uint32_t>(order.rank_at(position)) * rings + segment};
    }};
    switch (plan.collective) {
      case Collective::reduce_scatter: {
        const Slice sums = build.new_scratch(std::min(2u, ranks - 2));
        const auto partial = [&](int round, Run) {
          return round == plan.ranks - 2
                     ? out(segment)
                     : scratch(sums.segment + static_cast<std::uint32_t>(round % 2));
        };
        ring_reduce_scatter(build, place, way_of(ring), {.parts = parts, .partial = partial});
        break;
      }
      case Collective::allgather:
        ring_allgather(build, place, way_of(ring), parts);
        break;
      default:
        ring_allreduce(build, place, ring);
    }
  }
  return std::move(build).finish();
}

}  // namespace rondo
