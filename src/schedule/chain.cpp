// A line of ranks, tile after tile: with many tiles, all links are busy nearly all the time. The
// pipelines of the textbooks: P. Sanders, K. Mehlhorn, M. Dietzfelbinger and R. Dementiev,
// "Sequential and Parallel Algorithms and Data Structures" (2019), chapter 13.
//
//   broadcast: the vector goes down the line from the root; reduce: sums come up the line to the
//   root; scan: sums go up the ranks, and each rank keeps the one it passes on; exscan: it keeps
//   the one that came in.

#include "schedule/builder.hpp"
#include "schedule/generators.hpp"

namespace rondo {

namespace {

constexpr int rx = 0;
constexpr int tx = 1;
constexpr int add = 2;   // lane that adds the own vector where the sum before it is needed too
constexpr int keep = 3;  // lane that keeps the sum before it
constexpr int channel = 0;

using Final = ProgramBuilder::Final;

void broadcast(ProgramBuilder& build) {
  const int rank = build.rank();
  if (rank == 0) {
    build.send(0, 1, channel, in(0));
    build.copy(1, in(0), out(0));
    return;
  }
  build.recv(rx, rank - 1, channel, out(0));
  if (rank + 1 < build.ranks()) build.send(tx, rank + 1, channel, out(0));
}

void reduce(ProgramBuilder& build) {
  const int rank = build.rank();
  const bool last = rank + 1 == build.ranks();
  Slice sum = in(0);
  if (!last) {
    sum = rank == 0 ? out(0) : build.new_scratch();
    build.recv_reduce(rx, rank + 1, channel, in(0), sum, rank == 0 ? Final::yes : Final::no);
  }
  if (rank > 0) build.send(build.new_lane(), rank - 1, channel, sum);
}

void scan(ProgramBuilder& build) {
  const int rank = build.rank();
  if (rank == 0) {
    build.send(0, 1, channel, in(0));
    build.copy(1, in(0), out(0));
    return;
  }
  build.recv_reduce(rx, rank - 1, channel, in(0), out(0));
  if (rank + 1 < build.ranks()) build.send(tx, rank + 1, channel, out(0));
}

// `out` may be `in`: what came in can go there only when `in` has been set aside.
void exscan(ProgramBuilder& build) {
  const int rank = build.rank();
  if (rank == 0) {
    build.send(0, 1, channel, in(0));
    return;
  }
  if (rank + 1 == build.ranks()) {
    build.recv(rx, rank - 1, channel, out(0));
    return;
  }
  const Slice sums = build.new_scratch(2);
  const Slice below = scratch(sums.segment);
  const Slice with_own = scratch(sums.segment + 1);
  build.recv(rx, rank - 1, channel, below, in(0));
  build.copy(add, in(0), with_own);
  build.reduce(add, sums, with_own);
  build.send(tx, rank + 1, channel, with_own);
  build.copy(keep, below, out(0));
}

}  // namespace

Program chain(const Plan& plan, int rank) {
  ProgramBuilder build(plan, rank, Shape{});
  switch (plan.collective) {
    case Collective::broadcast:
      broadcast(build);
      break;
    case Collective::reduce:
      reduce(build);
      break;
    case Collective::scan:
      scan(build);
      break;
    default:
      exscan(build);
  }
  return std::move(build).finish();
}

}  // namespace rondo
