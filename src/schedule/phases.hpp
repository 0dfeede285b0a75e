#pragma once

// What algorithms over rings are put together from: one turn of sums or of values round a ring of
// any ranks, with any runs of segments, in any lanes.

#include <functional>
#include <vector>

#include "schedule/builder.hpp"

namespace rondo {

/// One ring of a plan with several: which rank stands where in it.
///
/// Ring j goes through the groups of the arrangement as ring 0 does, and begins its way through a
/// group of n ranks at member ⌊j n / rings⌋: each ring has another way into the group and out of
/// it, hence another NIC.
class RingOrder {
 public:
  RingOrder(const Plan& plan, int ring) : plan_(plan), ring_(ring) {}

  int rank_at(int position) const;
  int position_of(int rank) const;

 private:
  const Plan& plan_;
  int ring_;
};

/// The place of a rank in a ring of `size`.
struct RingPlace {
  int position = 0;
  int size = 1;
  int next = -1;      ///< rank of the successor
  int previous = -1;  ///< rank of the predecessor
};

/// Where the steps of a phase go. Lanes that are not given are new ones, made where they are
/// needed.
struct Way {
  int channel = 0;
  int tx = -1;  ///< lane of the sends
  int rx = -1;  ///< lane of the recvs
};

/// A run of segments of a buffer. An empty one takes no messages.
struct Run {
  std::uint32_t first = 0;
  std::uint32_t count = 1;
};

/// The part of the vector that belongs to a position.
struct Parts {
  std::function<Run(int position)> of;
  /// The positions whose parts are not empty; none: all of them.
  std::vector<int> holders = {};
  Run operator()(int position) const { return of(position); }
};

/// Partial sums go round the ring once. Afterwards the part of each position is summed up there.
/// `own` gives the slice with what this rank adds to a part; partial(i, part) the place of sum
/// number i, counted from 0 without those of empty parts.
struct SumTurn {
  Parts parts;
  std::function<Slice(Run part)> own = [](Run part) { return in(part.first, part.count); };
  std::function<Slice(int index, Run part)> partial = [](int, Run part) {
    return out(part.first, part.count);
  };
  ProgramBuilder::Final final = ProgramBuilder::Final::yes;
};
void ring_reduce_scatter(ProgramBuilder& build, const RingPlace& place, Way way,
                         const SumTurn& turn);

/// The parts of all positions go round once, from `out` to `out`.
void ring_allgather(ProgramBuilder& build, const RingPlace& place, Way way, const Parts& parts);

}  // namespace rondo
