// Circulant graphs: J. L. Träff, "Optimal, non-pipelined reduce-scatter and allreduce algorithms"
// (2024). As few rounds as any algorithm can have, and as few bytes, for any number of ranks.
//
//   Halve the number of ranks, rounded up, until one is left: 5 → 3 → 2 → 1. Reduce-scatter: each
//   rank holds partial sums for itself and the ranks after it. Where their number shrinks from s'
//   to s, it passes those for the ranks s…s'-1 after it to rank r+s, for which they are 0…s'-s-1:
//
//      5 → 3    0 1 2│3 4       those before the line are kept, and those from behind the line of
//      3 → 2    0 1│2           rank r-s are added to them, from the left; rank r ends with its
//      2 → 1    0│1             own sum
//
//   allgather: the same backwards. Runs of segments go round the end of the vector, so that all
//   ranks do the same, each from its own segment on.

#include <vector>

#include "schedule/builder.hpp"
#include "schedule/generators.hpp"

namespace rondo {

namespace {

using Final = ProgramBuilder::Final;

constexpr int channel = 0;

class Circulant {
 public:
  explicit Circulant(ProgramBuilder& build) : build_(build), tx_(build), rx_(build) {
    for (int size = build.ranks(); size > 1; size = (size + 1) / 2) sizes_.push_back(size);
  }

  // `partial(segment, count)` is where partial sums are kept.
  template <class Partial>
  void reduce_scatter(Partial partial, Slice result) {
    for (const int size : sizes_) {
      const int kept = (size + 1) / 2;
      const int passed = size - kept;
      const bool first = size == build_.ranks();
      const bool last = size == 2;
      const auto sums = [&](int owner) {
        return first ? run(in, owner, passed) : run(partial, owner, passed);
      };
      const int own = build_.rank();
      build_.send(tx_, after(kept), channel, sums(after(kept)));
      build_.recv_reduce(rx_, before(kept), channel, sums(own),
                         last ? result : run(partial, own, passed), last ? Final::yes : Final::no);
      // Nobody adds to the last one kept; put beside the others, it can leave in one run with them.
      if (first && kept > passed) {
        const auto middle = static_cast<std::uint32_t>(after(kept - 1));
        build_.copy(build_.new_lane(), in(middle), partial(middle, 1));
      }
    }
  }

  void allgather() {
    for (auto size = sizes_.rbegin(); size != sizes_.rend(); ++size) {
      const int held = (*size + 1) / 2;
      const int passed = *size - held;
      build_.send(tx_, before(held), channel, run(out, build_.rank(), passed));
      build_.recv(rx_, after(held), channel, run(out, after(held), passed));
    }
  }

  LateLane& sender() { return tx_; }

 private:
  int after(int distance) const { return (build_.rank() + distance) % build_.ranks(); }
  int before(int distance) const { return after(build_.ranks() - distance); }

  // The segments of so many ranks from `first` on, round the end of the vector where that comes.
  template <class Place>
  static Slice run(Place place, int first, int count) {
    return place(static_cast<std::uint32_t>(first), static_cast<std::uint32_t>(count));
  }

  ProgramBuilder& build_;
  std::vector<int> sizes_;
  LateLane tx_;
  LateLane rx_;
};

}  // namespace

Program circulant(const Plan& plan, int rank) {
  const auto ranks = static_cast<std::uint32_t>(plan.ranks);
  const auto own = static_cast<std::uint32_t>(rank);
  switch (plan.collective) {
    case Collective::reduce_scatter: {
      const std::uint32_t mirror = ranks > 2 ? ranks : 0;  // two ranks have no partial sums
      ProgramBuilder build(
          plan, rank, Shape{.blocks = ranks, .segments = 1, .scratch = mirror, .mirror = mirror});
      Circulant(build).reduce_scatter(scratch, out(0));
      return std::move(build).finish();
    }
    case Collective::allgather: {
      ProgramBuilder build(plan, rank, Shape{.blocks = ranks, .segments = 1});
      Circulant circulant(build);
      build.copy(circulant.sender(), in(0), out(own));
      circulant.allgather();
      return std::move(build).finish();
    }
    default: {
      ProgramBuilder build(plan, rank, Shape{.blocks = 1, .segments = ranks});
      Circulant circulant(build);
      circulant.reduce_scatter(out, out(own));
      circulant.allgather();
      return std::move(build).finish();
    }
  }
}

}  // namespace rondo
