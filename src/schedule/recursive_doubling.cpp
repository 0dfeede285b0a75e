// Recursive doubling: as few rounds as possible for short messages.
//
//   allreduce: partners one bit apart exchange their sums, bit after bit, and both add the other's
//   to their own: R. Thakur, R. Rabenseifner and W. Gropp, "Optimization of collective
//   communication operations in MPICH", Int. J. High Perform. Comput. Appl. 19 (2005). Where the
//   number of ranks is no power of two, the ranks left over hand their part to a partner first, and
//   get the result from it at the end.
//
//   scan: in round k rank r passes the sum of the last 2^k ranks up to itself to rank r + 2^k:
//   W. D. Hillis and G. L. Steele, "Data parallel algorithms", Commun. ACM 29 (1986). exscan: all
//   inputs move up by one rank first.

#include <bit>

#include "schedule/builder.hpp"
#include "schedule/generators.hpp"
#include "schedule/hypercube.hpp"

namespace rondo {

namespace {

constexpr int channel = 0;

using Final = ProgramBuilder::Final;

// The sum that a rank has so far. While it is sent on, the next one arrives in another place: they
// alternate in scratch, and only the last one goes to `out`. `out` may be `in`, which leaves in the
// first round: a sum that is first and last goes to scratch too, to be copied from there.
class RunningSum {
 public:
  RunningSum(ProgramBuilder& build, int receipts)
      : build_(build),
        receipts_(receipts),
        scratch_(build.new_scratch(
            static_cast<std::uint32_t>(receipts > 2 ? 2 : std::min(receipts, 1)))),
        tx_(build),
        rx_(build) {}

  void send(int peer) { build_.send(tx_, peer, channel, sum_); }
  void recv(int peer) {
    sum_ = next_place();
    build_.recv(rx_, peer, channel, sum_, in(0));
  }
  void add(int peer, Final last = Final::no) {
    const Slice own = sum_;
    sum_ = next_place();
    const bool completes = last == Final::yes && received_ == receipts_;
    build_.recv_reduce(rx_, peer, channel, own, sum_, completes ? Final::yes : Final::no);
  }
  void deliver() {
    if (sum_ == out(0)) return;
    build_.copy(rx_, sum_, out(0));
    sum_ = out(0);
  }

 private:
  Slice next_place() {
    const int index = received_++;
    if (index > 0 && received_ == receipts_) return out(0);
    return scratch(scratch_.segment + static_cast<std::uint32_t>(index % 2));
  }

  ProgramBuilder& build_;
  int receipts_;
  Slice scratch_;
  LateLane tx_;
  LateLane rx_;
  Slice sum_ = in(0);
  int received_ = 0;
};

void allreduce(ProgramBuilder& build) {
  const Hypercube cube(build.ranks());
  const int rank = build.rank();
  if (cube.stands_aside(rank)) {
    build.send(0, rank + 1, channel, in(0));
    build.recv(1, rank + 1, channel, out(0));
    return;
  }
  const bool paired = cube.is_paired(rank);
  RunningSum sum(build, cube.dimensions() + (paired ? 1 : 0));
  if (paired) sum.add(rank - 1);
  for (int bit = 0; bit < cube.dimensions(); ++bit) {
    const int partner = cube.rank_of(cube.node_of(rank) ^ (1 << bit));
    sum.send(partner);
    sum.add(partner, Final::yes);
  }
  sum.deliver();
  if (paired) sum.send(rank - 1);
}

// How many of the distances 1, 2, 4, … are not greater than this.
int doublings(int distance) {
  return static_cast<int>(std::bit_width(static_cast<unsigned>(distance)));
}

// `sum` holds what rank `rank` adds of those up to itself; there are so many ranks below it.
void add_those_below(ProgramBuilder& build, RunningSum& sum, int below) {
  const int rank = build.rank();
  for (int distance = 1; distance < build.ranks(); distance *= 2) {
    if (rank + distance < build.ranks()) sum.send(rank + distance);
    if (distance <= below) sum.add(rank - distance);
  }
  sum.deliver();
}

void scan(ProgramBuilder& build) {
  RunningSum sum(build, doublings(build.rank()));
  add_those_below(build, sum, build.rank());
}

void exscan(ProgramBuilder& build) {
  const int rank = build.rank();
  RunningSum sum(build, rank == 0 ? 0 : 1 + doublings(rank - 1));
  if (rank + 1 < build.ranks()) sum.send(rank + 1);
  if (rank == 0) return;
  sum.recv(rank - 1);
  add_those_below(build, sum, rank - 1);
}

}  // namespace

Program recursive_doubling(const Plan& plan, int rank) {
  ProgramBuilder build(plan, rank, Shape{});
  switch (plan.collective) {
    case Collective::scan:
      scan(build);
      break;
    case Collective::exscan:
      exscan(build);
      break;
    default:  // allreduce; a barrier is one without elements
      allreduce(build);
  }
  return std::move(build).finish();
}

}  // namespace rondo
