// Two trees with half of the vector each: P. Sanders, J. Speck and J. L. Träff, "Two-tree
// algorithms for full bandwidth broadcast, reduction and scan", Parallel Computing 35 (2009).
//
//   A binary tree leaves the links out of its leaves idle: half of all ranks. In a pair of trees in
//   which each rank is a leaf at least once (one rank excepted where their number is odd), both
//   together keep all links busy. The first tree has the ranks in order, even ones inside:
//
//      0 ─────────────┐              The second is its mirror image (rank r takes the place of
//              ┌───── 4 ─────┐       count-1-r) where the number of ranks is even, and shifted by
//          ┌── 2 ──┐     ┌── 6 ──┐   one (r takes the place of r-1) where it is odd.
//          1       3     5       7
//
//   allreduce: each tree sums its segment up to its root and passes the sum down again. Rooted
//   collectives: the trees span the other ranks, and the root feeds or drains both of them, so that
//   it sends or receives each segment once.

#include <bit>

#include "schedule/builder.hpp"
#include "schedule/generators.hpp"
#include "schedule/tree.hpp"

namespace rondo {

namespace {

constexpr int trees = 2;

TreePlace in_order_place(int node, int count) {
  TreePlace place;
  if (node == 0) {
    if (count > 1) {
      place.children = {static_cast<int>(std::bit_floor(static_cast<unsigned>(count - 1)))};
    }
    return place;
  }
  const int weight = node & -node;  // a node of this weight spans the weight-1 nodes either side
  const int above = (node ^ weight) | (2 * weight);
  place.parent = above < count ? above : node ^ weight;
  if (weight > 1) place.children.push_back(node - weight / 2);
  int right = weight / 2;
  while (right > 0 && node + right >= count) right /= 2;
  if (right > 0) place.children.push_back(node + right);
  return place;
}

template <class Rename>
TreePlace renamed(TreePlace place, Rename rename) {
  if (place.parent) place.parent = rename(*place.parent);
  for (int& child : place.children) child = rename(child);
  return place;
}

int root_of(int tree, int count) {
  if (tree == 0) return 0;
  return count % 2 == 0 ? count - 1 : 1 % count;
}

}  // namespace

TreePlace double_tree_place(int tree, int node, int count) {
  if (tree == 0) return in_order_place(node, count);
  if (count % 2 == 0) {
    const auto mirrored = [count](int i) { return count - 1 - i; };
    return renamed(in_order_place(mirrored(node), count), mirrored);
  }
  const auto shifted = [count](int i) { return (i + 1) % count; };
  return renamed(in_order_place((node + count - 1) % count, count), shifted);
}

TreePlace double_tree_place_below(int tree, int root, int node, int count) {
  const int others = count - 1;
  const auto real = [&](int other) { return (root + 1 + other) % count; };
  if (node == root) {
    return others == 0 ? TreePlace{} : TreePlace{.children = {real(root_of(tree, others))}};
  }
  const int below = (node - root - 1 + count) % count;
  TreePlace place = renamed(double_tree_place(tree, below, others), real);
  if (!place.parent) place.parent = root;
  return place;
}

Program double_tree(const Plan& plan, int rank) {
  ProgramBuilder build(plan, rank, Shape{.blocks = 1, .segments = trees});
  if (plan.collective == Collective::broadcast && rank == plan.root) {
    build.copy(build.new_lane(), in(0, trees), out(0, trees));
  }
  for (int tree = 0; tree < trees; ++tree) {
    const TreePlace place = is_rooted(plan.collective)
                                ? double_tree_place_below(tree, plan.root, rank, plan.ranks)
                                : double_tree_place(tree, rank, plan.ranks);
    tree_collective(build, place, tree, static_cast<std::uint32_t>(tree));
  }
  return std::move(build).finish();
}

}  // namespace rondo
