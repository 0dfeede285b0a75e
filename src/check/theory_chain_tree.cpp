#include <algorithm>
#include <bit>
#include <vector>

#include "check/theories.hpp"

namespace rondo {

namespace {

constexpr int trees = 2;

// One of the two trees, over groups as nodes; node `above` is the root's group of a rooted
// collective, which stands above node 0.
class GroupTree {
 public:
  GroupTree(const Plan& plan, int tree)
      : plan_(plan), tree_(tree), rooted_(is_rooted(plan.collective)) {
    root_position_ = rooted_ ? position_of(plan.root) : -1;
    nodes_ = rooted_ ? groups() - 1 : groups();
  }

  int groups() const { return plan_.arrangement ? plan_.arrangement->groups() : 1; }
  int begin(int group) const { return plan_.arrangement ? plan_.arrangement->begin_of(group) : 0; }
  int size(int group) const {
    return plan_.arrangement ? plan_.arrangement->size_of(group) : plan_.ranks;
  }
  int position_of(int rank) const {
    return plan_.arrangement ? plan_.arrangement->position_of(rank) : rank;
  }
  int group_of(int position) const {
    return plan_.arrangement ? plan_.arrangement->group_of(position) : 0;
  }

  int nodes() const { return nodes_; }
  int above() const { return nodes_; }
  bool has_above() const { return rooted_; }
  int top() const { return rooted_ ? above() : 0; }

  int node_of(int group) const {
    const int count = nodes_;
    const int root_group = rooted_ ? group_of(root_position_) : 0;
    if (rooted_ && group == root_group) return above();
    const int i = rooted_ ? (group - root_group - 1 + groups()) % groups() : group;
    if (tree_ == 0) return i;
    return count % 2 == 0 ? count - 1 - i : (i + count - 1) % count;
  }
  /// -1 for the top.
  int parent(int node) const {
    if (node == top()) return -1;
    return node == 0 ? above() : in_order_parent(node, nodes_);
  }
  /// How many places a position is behind the leader of its group, going round.
  int behind_leader(int position) const {
    const int group = group_of(position);
    const int n = size(group);
    const bool leads = rooted_ && group == group_of(root_position_);
    const int leader = leads ? root_position_ : begin(group) + tree_ * n / trees;
    return (position - leader + n) % n;
  }

 private:
  const Plan& plan_;
  int tree_;
  bool rooted_;
  int root_position_ = -1;
  int nodes_ = 0;
};

struct TreeRounds {
  std::uint32_t up = 0;    // until the top has the sum
  std::uint32_t down = 0;  // from the top to the farthest rank
};

TreeRounds rounds_of(const GroupTree& tree) {
  const auto count = static_cast<std::size_t>(tree.nodes() + (tree.has_above() ? 1 : 0));
  std::vector<std::uint32_t> chain(count);  // messages in the chain of each node's group
  for (int group = 0; group < tree.groups(); ++group) {
    chain[static_cast<std::size_t>(tree.node_of(group))] =
        static_cast<std::uint32_t>(tree.size(group) - 1);
  }
  // Children span fewer nodes than their parents: a node's weight is its lowest bit. Of two
  // children the one with the higher number is added first, after the chain.
  std::vector<int> order;
  for (int node = 1; node < tree.nodes(); ++node) order.push_back(node);
  std::sort(order.begin(), order.end(),
            [](int a, int b) { return (a & -a) != (b & -b) ? (a & -a) < (b & -b) : a > b; });
  if (tree.nodes() > 0) order.push_back(0);
  if (tree.has_above()) order.push_back(tree.above());
  std::vector<std::vector<int>> children(count);
  for (const int node : order) {
    if (tree.parent(node) >= 0)
      children[static_cast<std::size_t>(tree.parent(node))].push_back(node);
  }
  std::vector<std::uint32_t> up = chain;
  for (const int node : order) {
    std::vector<int>& below = children[static_cast<std::size_t>(node)];
    std::sort(below.rbegin(), below.rend());
    std::uint32_t& time = up[static_cast<std::size_t>(node)];
    for (const int child : below) time = std::max(time, up[static_cast<std::size_t>(child)]) + 1;
  }
  TreeRounds rounds{up[static_cast<std::size_t>(tree.top())], 0};
  std::vector<std::uint32_t> depth(count);
  for (auto node = order.rbegin(); node != order.rend(); ++node) {
    const auto i = static_cast<std::size_t>(*node);
    if (*node != tree.top()) depth[i] = depth[static_cast<std::size_t>(tree.parent(*node))] + 1;
    rounds.down = std::max(rounds.down, depth[i] + chain[i]);
  }
  return rounds;
}

// Messages down the tree that each position sends, added to `sent`.
void count_children(const GroupTree& tree, std::vector<std::uint64_t>& children) {
  std::vector<int> leader_of_node(static_cast<std::size_t>(tree.nodes() + 1), -1);
  for (std::size_t position = 0; position < children.size(); ++position) {
    const int at = static_cast<int>(position);
    const int group = tree.group_of(at);
    const int behind = tree.behind_leader(at);
    if (behind == 0) leader_of_node[static_cast<std::size_t>(tree.node_of(group))] = at;
    if (behind + 1 < tree.size(group)) ++children[position];
  }
  for (int group = 0; group < tree.groups(); ++group) {
    const int parent = tree.parent(tree.node_of(group));
    if (parent < 0) continue;
    const int leader = leader_of_node[static_cast<std::size_t>(parent)];
    ++children[static_cast<std::size_t>(leader)];
  }
}

Theory figures(const Plan& plan) {
  const auto p = static_cast<std::uint64_t>(plan.ranks);
  const bool up = plan.collective != Collective::broadcast;
  const bool down = plan.collective != Collective::reduce;
  Theory theory;
  std::vector<std::uint64_t> sent(plan.ranks);
  for (int index = 0; index < trees; ++index) {
    const GroupTree tree(plan, index);
    const TreeRounds rounds = rounds_of(tree);
    theory.rounds = std::max(theory.rounds, (up ? rounds.up : 0) + (down ? rounds.down : 0));
    if (down) count_children(tree, sent);
    for (int position = 0; up && position < plan.ranks; ++position) {
      const bool is_top =
          tree.behind_leader(position) == 0 && tree.node_of(tree.group_of(position)) == tree.top();
      sent[static_cast<std::size_t>(position)] += is_top ? 0 : 1;
    }
  }
  theory.segments = trees;
  theory.max_sent = *std::max_element(sent.begin(), sent.end());
  theory.total_sent = trees * (p - 1) * (up && down ? 2 : 1);
  theory.steps = 2 * theory.total_sent + (up ? 0 : 1);
  return theory;
}

Formula formula(const Plan& plan) {
  if (plan.collective == Collective::broadcast) return {"tree(H) + L-1", "children/2 n"};
  if (plan.collective == Collective::reduce) return {"up(H) + L-1", "n"};
  return {"up(H) + tree(H) + 2(L-1)", "neighbours/2 n"};
}

bool has_link(const Plan& plan, int from, int to, int channel) {
  if (channel >= trees) return false;
  const GroupTree tree(plan, channel);
  // Whether the way down leads from a to b.
  const auto leads = [&](int a, int b) {
    const int behind = tree.behind_leader(b);
    if (tree.group_of(a) == tree.group_of(b))
      return behind > 0 && tree.behind_leader(a) + 1 == behind;
    return behind == 0 && tree.behind_leader(a) == 0 &&
           tree.parent(tree.node_of(tree.group_of(b))) == tree.node_of(tree.group_of(a));
  };
  const int a = tree.position_of(from);
  const int b = tree.position_of(to);
  return (plan.collective != Collective::reduce && leads(a, b)) ||
         (plan.collective != Collective::broadcast && leads(b, a));
}

}  // namespace

const Promise chain_tree_promise = {&figures, &formula, &has_link};

}  // namespace rondo
