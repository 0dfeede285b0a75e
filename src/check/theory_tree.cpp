#include "check/theories.hpp"

#include <algorithm>
#include <bit>

namespace rondo {

namespace {

// Children of the root of a k-nomial tree; also the rounds of a reduce, since child number i,
// counted from the smallest subtree, has its sum ready after at most i-1 rounds.
std::uint32_t knomial_children(std::uint64_t p, std::uint64_t k) {
  std::uint64_t children = 0;
  for (std::uint64_t weight = 1; weight < p; weight *= k) {
    children += std::min(k - 1, (p + weight - 1) / weight - 1);
  }
  return static_cast<std::uint32_t>(children);
}

// Most non-zero digits of any number below p in base k.
std::uint32_t knomial_depth(std::uint64_t p, std::uint64_t k) {
  std::uint32_t digits = 0;
  for (std::uint64_t all_ones = 1; all_ones < p; all_ones = all_ones * k + 1) ++digits;
  return digits;
}

// Non-zero digits in base k: levels that a node is below the root, and so subtrees that it is in.
std::uint32_t digits_of(std::uint64_t node, std::uint64_t k) {
  std::uint32_t digits = 0;
  for (; node > 0; node /= k) digits += node % k != 0 ? 1 : 0;
  return digits;
}

// Blocks that all nodes below the root send up, or get from above.
std::uint64_t knomial_blocks(std::uint64_t p, std::uint64_t k) {
  std::uint64_t blocks = 0;
  for (std::uint64_t node = 1; node < p; ++node) blocks += digits_of(node, k);
  return blocks;
}

// Nodes in the largest subtree below the root. With W the largest power of k below p, that is the
// one at W, unless p cuts it short and the one at W/k is larger.
std::uint64_t largest_subtree(std::uint64_t p, std::uint64_t k) {
  std::uint64_t weight = 1;
  while (weight * k < p) weight *= k;
  return std::max(std::min(weight, p - weight), weight / k);
}

// Rounds until a node has all blocks of its subtree from `begin` to `end`, from small subtrees
// first, one after the other.
std::uint32_t gather_rounds(std::int64_t node, std::int64_t k, std::int64_t begin,
                            std::int64_t end) {
  std::uint32_t rounds = 0;
  for (std::int64_t weight = 1; node % (weight * k) == 0 && node + weight < end; weight *= k) {
    for (std::int64_t child = node + (k - 1) * weight; child > node; child -= weight) {
      if (child >= end || child + weight <= begin) continue;
      rounds = 1 + std::max(rounds, gather_rounds(child, k, begin, end));
    }
  }
  return rounds;
}

Theory knomial_block_figures(const Plan& plan) {
  const auto p = static_cast<std::uint64_t>(plan.ranks);
  const auto k = static_cast<std::uint64_t>(plan.radix);
  // The blocks of ranks from the root on and those of ranks before it go apart. The first node of
  // the latter splits the subtrees that it is in, except the one that it is the root of.
  const std::int64_t split = plan.ranks - plan.root;
  const std::uint64_t splits =
      plan.root == 0 ? 0 : digits_of(static_cast<std::uint64_t>(split), k) - 1;
  const std::uint64_t inner = (p - 2) / k;  // multiples of k that have a successor, less the root
  const std::uint64_t steps = 2 * (p - 1 + splits) + 1 + inner;
  const auto segments = static_cast<std::uint32_t>(p);
  if (plan.collective == Collective::scatter) {
    return {segments, knomial_depth(p, k), p - 1, knomial_blocks(p, k), steps};
  }
  const std::uint32_t rounds = std::max(gather_rounds(0, plan.radix, 0, split),
                                        gather_rounds(0, plan.radix, split, plan.ranks));
  return {segments, rounds, largest_subtree(p, k), knomial_blocks(p, k), steps};
}

Theory knomial_figures(const Plan& plan) {
  const auto p = static_cast<std::uint64_t>(plan.ranks);
  const auto k = static_cast<std::uint64_t>(plan.radix);
  const std::uint32_t up = knomial_children(p, k);
  const std::uint32_t down = knomial_depth(p, k);
  const std::uint64_t links = p - 1;
  switch (plan.collective) {
    case Collective::gather:
    case Collective::scatter:
      return knomial_block_figures(plan);
    case Collective::broadcast:
      return {1, down, up, links, 2 * links + 1};
    case Collective::reduce:
      return {1, up, 1, links, 2 * links};
    default:
      return {1, up + down, up, 2 * links, 4 * links};
  }
}

// Rounds in one tree of a pair over `p` ranks: node 0, and below it an in-order tree of p-1 nodes.
// With m = floor(log2(p-1)) the top of that has height m, and an inner node adds two sums, one
// after the other; only if that tree is full, its longest path meets two of them at each level.
std::uint32_t tree_depth(std::uint32_t p) {
  return static_cast<std::uint32_t>(std::bit_width(p - 1));
}
std::uint32_t tree_reduce_rounds(std::uint32_t p) {
  if (p == 1) return 0;
  const bool full = std::has_single_bit(p);
  return 2 * (tree_depth(p) - 1) + (full ? 1 : 0);
}

Theory double_tree_figures(const Plan& plan) {
  const auto p = static_cast<std::uint32_t>(plan.ranks);
  constexpr std::uint32_t trees = 2;
  const std::uint64_t links = trees * std::uint64_t{p - 1};
  switch (plan.collective) {
    case Collective::broadcast:
      return {trees, 1 + tree_depth(p - 1), 2, links, 2 * links + 1};
    case Collective::reduce:
      return {trees, 1 + tree_reduce_rounds(p - 1), 2, links, 2 * links};
    default:
      // An inner node sends its segment up once and down twice, and the other one up as a leaf.
      return {trees, tree_reduce_rounds(p) + tree_depth(p), std::min<std::uint64_t>(p, 4),
              2 * links, 4 * links};
  }
}

int knomial_parent(int node, int radix) {
  std::int64_t weight = 1;
  while (node / weight % radix == 0) weight *= radix;
  return static_cast<int>(node - node / weight % radix * weight);
}

// Whether one of the two nodes is the parent of the other, and which way sums and values go.
template <class Parent>
bool is_tree_link(Collective collective, int from, int to, Parent parent) {
  const bool up = from != 0 && parent(from) == to;
  const bool down = to != 0 && parent(to) == from;
  return (up && collective != Collective::broadcast) || (down && collective != Collective::reduce);
}

bool has_double_tree_link(const Plan& plan, int from, int to, int tree) {
  if (tree > 1) return false;
  const bool rooted = is_rooted(plan.collective);
  const int count = rooted ? plan.ranks - 1 : plan.ranks;
  // The root of a rooted collective stands above node 0; no other rank gets this number.
  const int above = count;
  const auto node_of = [&](int rank) {
    if (rooted && rank == 0) return above;
    const int i = rooted ? rank - 1 : rank;
    if (tree == 0) return i;
    return count % 2 == 0 ? count - 1 - i : (i + count - 1) % count;
  };
  const int a = node_of(from);
  const int b = node_of(to);
  if (a == above) return b == 0 && plan.collective == Collective::broadcast;
  if (b == above) return a == 0 && plan.collective == Collective::reduce;
  return is_tree_link(plan.collective, a, b, [&](int i) { return in_order_parent(i, count); });
}

// Whether some of the blocks below a node belong to ranks from the root on (side 0), or before it.
bool has_blocks_on_side(const Plan& plan, int node, int side) {
  std::int64_t weight = 1;
  while (node / weight % plan.radix == 0) weight *= plan.radix;
  const std::int64_t end = std::min<std::int64_t>(plan.ranks, node + weight);
  return side == 0 ? node < plan.ranks - plan.root : end > plan.ranks - plan.root;
}

bool has_knomial_link(const Plan& plan, int from, int to, int channel) {
  const auto node = [&](int rank) { return (rank - plan.root + plan.ranks) % plan.ranks; };
  if (plan.collective == Collective::gather || plan.collective == Collective::scatter) {
    const bool up = plan.collective == Collective::gather;
    const int child = node(up ? from : to);
    return channel < 2 && child != 0 && knomial_parent(child, plan.radix) == node(up ? to : from) &&
           has_blocks_on_side(plan, child, channel);
  }
  return channel == 0 && is_tree_link(plan.collective, node(from), node(to),
                                      [&](int i) { return knomial_parent(i, plan.radix); });
}

Formula knomial_formula(const Plan& plan) {
  if (plan.collective == Collective::gather) return {"children at most", "subtree/p n"};
  if (plan.collective == Collective::scatter) return {"most non-zero digits", "(p-1)/p n"};
  if (plan.collective == Collective::broadcast) return {"most non-zero digits", "children n"};
  if (plan.collective == Collective::reduce) return {"children", "n"};
  return {"children + digits", "children n"};
}

Formula double_tree_formula(const Plan& plan) {
  if (plan.collective == Collective::broadcast) return {"1 + depth(p-1)", "n"};
  if (plan.collective == Collective::reduce) return {"1 + up(p-1)", "n"};
  return {"up(p) + depth(p)", "min(p,4)/2 n"};
}

}  // namespace

int in_order_parent(int node, int count) {
  const int weight = node & -node;
  const int sibling_side = node & (2 * weight) ? -weight : weight;
  return node + sibling_side < count ? node + sibling_side : node - weight;
}

const Promise knomial_promise = {&knomial_figures, &knomial_formula, &has_knomial_link};
const Promise double_tree_promise = {&double_tree_figures, &double_tree_formula,
                                     &has_double_tree_link};

}  // namespace rondo
