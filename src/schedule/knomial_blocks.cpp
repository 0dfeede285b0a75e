// gather and scatter over the k-nomial tree of knomial.cpp: a subtree's blocks travel in one run.
//
//   Ranks are counted from the root, so that subtrees are runs of nodes. Their blocks lie in rank
//   order, which the count from the root enters at `root` and goes on with at 0: blocks of the
//   ranks from the root on and of those before the root go in messages of their own, each kind on
//   its channel. Ranks inside the tree keep the blocks of their subtree in the mirror.

#include <algorithm>

#include "schedule/builder.hpp"
#include "schedule/generators.hpp"
#include "schedule/tree.hpp"

namespace rondo {

namespace {

constexpr int sides = 2;  // the ranks from the root on, and those before it

// What one rank sees of the tree.
class Subtree {
 public:
  Subtree(const Plan& plan, int rank)
      : plan_(plan),
        node_((rank - plan.root + plan.ranks) % plan.ranks),
        place_(knomial_place(plan.radix, node_, plan.ranks)) {}

  bool is_root() const { return !place_.parent; }
  bool is_leaf() const { return place_.children.empty(); }
  int node() const { return node_; }
  int parent() const { return *place_.parent; }
  const std::vector<int>& children() const { return place_.children; }
  int rank_of(int node) const { return (node + plan_.root) % plan_.ranks; }
  int side_of(int node) const { return node < plan_.ranks - plan_.root ? 0 : 1; }

  struct Run {
    std::uint32_t first = 0;
    std::uint32_t count = 0;
  };
  // The blocks below a node on one side.
  Run run(int node, int side) const {
    const int end_of_ranks = plan_.ranks - plan_.root;
    int begin = node;
    int end = node + knomial_subtree(plan_.radix, node, plan_.ranks);
    if (side == 0) end = std::min(end, end_of_ranks);
    if (side == 1) begin = std::max(begin, end_of_ranks);
    if (begin >= end) return {};
    return {static_cast<std::uint32_t>(rank_of(begin)), static_cast<std::uint32_t>(end - begin)};
  }

  Shape shape() const {
    const auto ranks = static_cast<std::uint32_t>(plan_.ranks);
    Shape shape{.blocks = ranks, .segments = 1};
    if (is_root() || is_leaf()) return shape;
    const Run first = run(node_, side_of(node_));
    const bool both_sides = side_of(node_) == 0 && run(node_, 1).count > 0;
    shape.mirror_first = both_sides ? 0 : first.first;
    shape.mirror = shape.scratch = both_sides ? ranks : first.count;
    return shape;
  }

 private:
  const Plan& plan_;
  int node_;
  TreePlace place_;
};

Slice mirrored(const Shape& shape, Subtree::Run run) {
  return scratch(run.first - shape.mirror_first, run.count);
}

}  // namespace

Program knomial_gather(const Plan& plan, int rank) {
  const Subtree tree(plan, rank);
  const Shape shape = tree.shape();
  ProgramBuilder build(plan, rank, shape);
  const Subtree::Run own{static_cast<std::uint32_t>(rank), 1};
  const auto place = [&](Subtree::Run run) {
    return tree.is_root() ? out(run.first, run.count) : mirrored(shape, run);
  };
  for (int side = 0; side < sides; ++side) {
    LateLane rx(build);
    if (side == tree.side_of(tree.node()) && (tree.is_root() || !tree.is_leaf())) {
      build.copy(rx, in(0), place(own));
    }
    // Small subtrees are complete first.
    for (auto child = tree.children().rbegin(); child != tree.children().rend(); ++child) {
      const Subtree::Run run = tree.run(*child, side);
      if (run.count > 0) build.recv(rx, tree.rank_of(*child), side, place(run));
    }
    const Subtree::Run whole = tree.run(tree.node(), side);
    if (tree.is_root() || whole.count == 0) continue;
    build.send(build.new_lane(), tree.rank_of(tree.parent()), side,
               tree.is_leaf() ? in(0) : place(whole));
  }
  return std::move(build).finish();
}

Program knomial_scatter(const Plan& plan, int rank) {
  const Subtree tree(plan, rank);
  const Shape shape = tree.shape();
  ProgramBuilder build(plan, rank, shape);
  const Subtree::Run own{static_cast<std::uint32_t>(rank), 1};
  const auto place = [&](Subtree::Run run) {
    return tree.is_root() ? in(run.first, run.count) : mirrored(shape, run);
  };
  for (int side = 0; side < sides; ++side) {
    const Subtree::Run whole = tree.run(tree.node(), side);
    if (!tree.is_root() && whole.count > 0) {
      build.recv(build.new_lane(), tree.rank_of(tree.parent()), side,
                 tree.is_leaf() ? out(0) : place(whole));
    }
    for (const int child : tree.children()) {
      const Subtree::Run run = tree.run(child, side);
      if (run.count > 0) build.send(build.new_lane(), tree.rank_of(child), side, place(run));
    }
  }
  if (tree.is_root() || !tree.is_leaf()) build.copy(build.new_lane(), place(own), out(0));
  return std::move(build).finish();
}

}  // namespace rondo
