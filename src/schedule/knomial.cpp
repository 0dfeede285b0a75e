// The k-nomial tree, the classic of short messages: R. Thakur, R. Rabenseifner and W. Gropp,
// "Optimization of collective communication operations in MPICH", Int. J. High Perform. Comput.
// Appl. 19 (2005); for radix 2 it is the binomial tree.
//
//   Write the number of a rank in base k. Its parent has the lowest non-zero digit
//   cleared; its children set one of the zeros below that digit. Radix 2, eight ranks:
//
//                  000
//            ┌──────┼─────┐
//           100    010   001         broadcast: down the tree, large subtrees first
//         ┌──┴─┐    │                reduce: up the tree, small subtrees first
//        110  101  011               allreduce: reduce to rank 0, then broadcast from there
//         │
//        111

#include <algorithm>
#include <cstdint>

#include "schedule/builder.hpp"
#include "schedule/generators.hpp"
#include "schedule/tree.hpp"

namespace rondo {

namespace {

constexpr int channel = 0;

}  // namespace

TreePlace knomial_place(int radix, int node, int count) {
  TreePlace place;
  std::int64_t digit = 1;  // weight of the lowest non-zero digit
  while (digit < count && node % (digit * radix) == 0) digit *= radix;
  if (node != 0) place.parent = static_cast<int>(node - node % (digit * radix));
  for (std::int64_t weight = digit / radix; weight > 0; weight /= radix) {
    for (std::int64_t i = 1; i < radix && node + i * weight < count; ++i) {
      place.children.push_back(static_cast<int>(node + i * weight));
    }
  }
  return place;
}

int knomial_subtree(int radix, int node, int count) {
  std::int64_t digit = 1;
  while (digit < count && node % (digit * radix) == 0) digit *= radix;
  return static_cast<int>(std::min<std::int64_t>(digit, count - node));
}

Program knomial(const Plan& plan, int rank) {
  if (plan.collective == Collective::gather) return knomial_gather(plan, rank);
  if (plan.collective == Collective::scatter) return knomial_scatter(plan, rank);
  ProgramBuilder build(plan, rank, Shape{});
  const TreePlace place = knomial_place(plan.radix, rank, plan.ranks);
  if (plan.collective == Collective::broadcast && !place.parent) {
    build.copy(build.new_lane(), in(0), out(0));
  }
  tree_collective(build, place, channel, 0);
  return std::move(build).finish();
}

}  // namespace rondo
