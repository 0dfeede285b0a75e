#include <algorithm>
#include <bit>
#include <cstdlib>

#include "check/theories.hpp"

namespace rondo {

namespace {

std::uint32_t logarithm(std::uint32_t p) {  // rounded up; of 0: 0
  return p < 2 ? 0 : static_cast<std::uint32_t>(std::bit_width(p - 1));
}

// What the ranks above the largest power of two cost: they hand everything over and get it back.
struct Cube {
  explicit Cube(const Plan& plan)
      : p(static_cast<std::uint32_t>(plan.ranks)),
        nodes(std::bit_floor(p)),
        dimensions(static_cast<std::uint32_t>(std::bit_width(p)) - 1),
        pairs(p - nodes) {}

  std::uint32_t p;
  std::uint32_t nodes;
  std::uint32_t dimensions;
  std::uint32_t pairs;
};

// Two messages meet on their way between the same ranks in every pair and along every edge.
bool has_cube_link(const Plan& plan, int from, int to, int channel) {
  if (channel != 0) return false;
  const Cube cube(plan);
  const auto in_pairs = static_cast<int>(2 * cube.pairs);
  const int low = std::min(from, to);
  const int high = std::max(from, to);
  if (high < in_pairs && low % 2 == 0) return high == low + 1;
  if (low < in_pairs && low % 2 == 0) return false;
  if (high < in_pairs && high % 2 == 0) return false;
  const auto node = [&](int rank) {
    return static_cast<unsigned>(rank < in_pairs ? rank / 2 : rank - in_pairs / 2);
  };
  return std::has_single_bit(node(from) ^ node(to));
}

// Of the sums of `p` ranks, those 1, 2, 4, … ranks further up.
std::uint64_t prefix_messages(std::uint64_t p) {
  std::uint64_t messages = 0;
  for (std::uint64_t distance = 1; distance < p; distance *= 2) messages += p - distance;
  return messages;
}

Theory doubling_figures(const Plan& plan) {
  const auto p = static_cast<std::uint32_t>(plan.ranks);
  if (plan.collective == Collective::scan) {
    // Ranks 0 and 1 have what they need before their input has left.
    const std::uint64_t messages = prefix_messages(p);
    return {1, logarithm(p), logarithm(p), messages, 2 * messages + 2};
  }
  if (plan.collective == Collective::exscan) {
    const std::uint32_t rounds = 1 + logarithm(p - 1);
    const std::uint64_t messages = p - 1 + prefix_messages(p - 1);
    return {1, rounds, rounds, messages, 2 * messages + 1};
  }
  const Cube cube(plan);
  const std::uint32_t fold = cube.pairs > 0 ? 1 : 0;
  const std::uint64_t messages =
      std::uint64_t{cube.nodes} * cube.dimensions + 2 * std::uint64_t{cube.pairs};
  const std::uint64_t copies = p < 4 ? cube.nodes - cube.pairs : 0;  // a single sum
  return {1, cube.dimensions + 2 * fold, cube.dimensions + fold, messages, 2 * messages + copies};
}

Formula doubling_formula(const Plan& plan) {
  if (plan.collective == Collective::scan) return {"ceil(log2 p)", "ceil(log2 p) n"};
  if (plan.collective == Collective::exscan) return {"1 + ceil(log2 (p-1))", "rounds n"};
  return {"log2 p, or floor + 2", "log2 p n"};
}

bool has_doubling_link(const Plan& plan, int from, int to, int channel) {
  if (!reduces_prefix(plan.collective)) return has_cube_link(plan, from, to, channel);
  return channel == 0 && from < to && std::has_single_bit(static_cast<unsigned>(to - from)) &&
         (plan.collective == Collective::scan || from > 0 || to == 1);
}

Theory halving_figures(const Plan& plan) {
  const Cube cube(plan);
  const std::uint32_t fold = cube.pairs > 0 ? 1 : 0;
  const std::uint64_t exchanged = 2 * std::uint64_t{cube.nodes - 1};
  const std::uint64_t messages =
      2 * std::uint64_t{cube.nodes} * cube.dimensions + 2 * std::uint64_t{cube.pairs};
  const std::uint64_t total = cube.nodes * exchanged + 2 * std::uint64_t{cube.pairs} * cube.nodes;
  return {cube.nodes, 2 * (cube.dimensions + fold), exchanged + fold * std::uint64_t{cube.nodes},
          total, 2 * messages};
}

Formula halving_formula(const Plan&) {
  return {"2 log2 p, or 2 floor + 2", "2(p-1)/p n, +n"};
}

}  // namespace

const Promise recursive_doubling_promise = {&doubling_figures, &doubling_formula,
                                            &has_doubling_link};
const Promise halving_doubling_promise = {&halving_figures, &halving_formula, &has_cube_link};

}  // namespace rondo
