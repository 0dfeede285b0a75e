// All pairs at once: few hops, for short messages and fast links. The two variants are known from
// the custom allreduce kernels of inference engines; the two-shot one is the reduce-scatter plus
// allgather split of R. Rabenseifner, "Optimization of collective reduction operations" (2004).
//
//   one shot: everybody sends its vector to everybody, successors first, collects the others' in
//             scratch in rank order, and reduces once: on all ranks the same order, the same bits.
//   two shot: rank r does so for segment r only, then everybody sends its result to everybody.

#include "schedule/builder.hpp"
#include "schedule/generators.hpp"

namespace rondo {

namespace {

constexpr int tx = 0;
constexpr int rx = 1;
constexpr int fold = 2;  // lane that collects the own contribution and reduces
constexpr int channel = 0;

using Final = ProgramBuilder::Final;

std::uint32_t segment_of(int rank) {
  return static_cast<std::uint32_t>(rank);
}

// `part(rank)` is what that rank reduces of this rank's input.
template <class Part>
void shot_of_contributions(ProgramBuilder& build, Part part, Slice result) {
  const int rank = build.rank();
  const int ranks = build.ranks();
  const Slice collected = build.new_scratch(segment_of(ranks));
  const auto contribution = [&](int from) { return scratch(collected.segment + segment_of(from)); };
  build.copy(fold, part(rank), contribution(rank));
  for (int distance = 1; distance < ranks; ++distance) {
    const int to = (rank + distance) % ranks;
    const int from = (rank + ranks - distance) % ranks;
    build.send(tx, to, channel, part(to));
    build.recv(rx, from, channel, contribution(from), part(rank));
  }
  build.reduce(fold, collected, result, Final::yes);
}

void shot_of_results(ProgramBuilder& build) {
  const int rank = build.rank();
  const int ranks = build.ranks();
  for (int distance = 1; distance < ranks; ++distance) {
    const int from = (rank + ranks - distance) % ranks;
    build.send(tx, (rank + distance) % ranks, channel, out(segment_of(rank)));
    build.recv(rx, from, channel, out(segment_of(from)));
  }
}

Slice part_of_own_segment(int rank) {
  return in(segment_of(rank));
}
Slice part_of_everything(int) {
  return in(0);
}

}  // namespace

Program direct(const Plan& plan, int rank) {
  const auto ranks = static_cast<std::uint32_t>(plan.ranks);
  if (plan.algorithm == Algorithm::two_shot) {
    ProgramBuilder build(plan, rank, Shape{.blocks = 1, .segments = ranks});
    shot_of_contributions(build, part_of_own_segment, out(segment_of(rank)));
    shot_of_results(build);
    return std::move(build).finish();
  }
  switch (plan.collective) {
    case Collective::gather:
    case Collective::scatter:
    case Collective::alltoall:
      return linear(plan, rank);
    case Collective::allgather: {
      ProgramBuilder build(plan, rank, Shape{.blocks = ranks, .segments = 1});
      build.copy(tx, in(0), out(segment_of(rank)));
      shot_of_results(build);
      return std::move(build).finish();
    }
    case Collective::reduce_scatter: {
      ProgramBuilder build(plan, rank, Shape{.blocks = ranks, .segments = 1});
      shot_of_contributions(build, part_of_own_segment, out(0));
      return std::move(build).finish();
    }
    default: {  // allreduce; a barrier is one without elements
      ProgramBuilder build(plan, rank, Shape{});
      shot_of_contributions(build, part_of_everything, out(0));
      return std::move(build).finish();
    }
  }
}

}  // namespace rondo
