// Chains inside groups, and a double tree between them: the shape of NCCL's trees.
//
//   Each of the two trees has half of the vector, spans the groups (see double_tree.cpp), and has a
//   leader in each group, from which a chain goes through its other members in the order of
//   positions. Each tree crosses from group to group once for each group but one. The two leaders
//   of a group stand half a group apart, so that both directions of two NICs are used:
//
//      tree 0:  group 0   0 ─ 1 ─ 2 ─ 3        tree 1:  group 0   2 ─ 3 ─ 0 ─ 1
//                         │                                       │
//               group 1   4 ─ 5 ─ 6 ─ 7                 group 1   6 ─ 7 ─ 4 ─ 5
//
//   Rooted collectives: the root leads its group in both trees, and the trees span the other
//   groups below it.

#include "schedule/generators.hpp"
#include "schedule/tree.hpp"

namespace rondo {

namespace {

constexpr int trees = 2;

class ChainTree {
 public:
  ChainTree(const Plan& plan, int tree) : plan_(plan), tree_(tree) {}

  TreePlace place_of(int rank) const {
    const int position = plan_.arrangement ? plan_.arrangement->position_of(rank) : rank;
    const int group = plan_.arrangement ? plan_.arrangement->group_of(position) : 0;
    const int size = size_of(group);
    const int leader = leader_of(group);
    const int behind = (position - begin_of(group) - leader + size) % size;
    TreePlace place;
    if (behind == 0) {
      const TreePlace between = place_of_group(group);
      if (between.parent) place.parent = leading_rank(*between.parent);
      for (const int child : between.children) place.children.push_back(leading_rank(child));
    } else {
      place.parent = rank_at(group, (leader + behind - 1) % size);
    }
    if (behind + 1 < size) place.children.push_back(rank_at(group, (leader + behind + 1) % size));
    return place;
  }

 private:
  int groups() const { return plan_.arrangement ? plan_.arrangement->groups() : 1; }
  int begin_of(int group) const {
    return plan_.arrangement ? plan_.arrangement->begin_of(group) : 0;
  }
  int size_of(int group) const {
    return plan_.arrangement ? plan_.arrangement->size_of(group) : plan_.ranks;
  }
  int rank_at(int group, int member) const {
    const int position = begin_of(group) + member;
    return plan_.arrangement ? plan_.arrangement->rank_at(position) : position;
  }
  int root_group() const {
    if (!is_rooted(plan_.collective) || !plan_.arrangement) return 0;
    return plan_.arrangement->group_of(plan_.arrangement->position_of(plan_.root));
  }

  /// The member that leads a group, counted from its first.
  int leader_of(int group) const {
    if (is_rooted(plan_.collective) && group == root_group()) {
      const int position =
          plan_.arrangement ? plan_.arrangement->position_of(plan_.root) : plan_.root;
      return position - begin_of(group);
    }
    return tree_ * size_of(group) / trees;
  }
  int leading_rank(int group) const { return rank_at(group, leader_of(group)); }

  TreePlace place_of_group(int group) const {
    if (!is_rooted(plan_.collective)) return double_tree_place(tree_, group, groups());
    return double_tree_place_below(tree_, root_group(), group, groups());
  }

  const Plan& plan_;
  int tree_;
};

}  // namespace

Program chain_tree(const Plan& plan, int rank) {
  ProgramBuilder build(plan, rank, Shape{.blocks = 1, .segments = trees});
  if (plan.collective == Collective::broadcast && rank == plan.root) {
    build.copy(build.new_lane(), in(0, trees), out(0, trees));
  }
  for (int tree = 0; tree < trees; ++tree) {
    tree_collective(build, ChainTree(plan, tree).place_of(rank), tree,
                    static_cast<std::uint32_t>(tree));
  }
  return std::move(build).finish();
}

}  // namespace rondo
