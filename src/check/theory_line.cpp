#include <bit>

#include "check/theories.hpp"

namespace rondo {

namespace {

Theory chain_figures(const Plan& plan) {
  const auto p = static_cast<std::uint32_t>(plan.ranks);
  const std::uint64_t links = p - 1;
  switch (plan.collective) {
    case Collective::reduce:
      return {1, p - 1, 1, links, 2 * links};
    case Collective::exscan:
      // Each rank between the ends sets its input aside, adds to it, and keeps what came in.
      return {1, p - 1, 1, links, 2 * links + 3 * (links - 1)};
    default:
      return {1, p - 1, 1, links, 2 * links + 1};
  }
}

Formula chain_formula(const Plan&) {
  return {"p-1", "n"};
}

bool has_chain_link(const Plan& plan, int from, int to, int channel) {
  const bool comes_in = plan.collective == Collective::reduce;
  return channel == 0 && to == from + (comes_in ? -1 : 1);
}

// A node of the binomial tree is as many levels down as bits are set in its number, and belongs to
// so many subtrees below the root: the sizes of all these subtrees add up to the bits of all nodes.
Theory spread_figures(const Plan& plan) {
  const auto p = static_cast<std::uint32_t>(plan.ranks);
  std::uint64_t scattered = 0;
  for (std::uint32_t node = 1; node < p; ++node) {
    scattered += static_cast<std::uint64_t>(std::popcount(node));
  }
  const std::uint64_t total = std::uint64_t{p} * (p - 1);
  const std::uint64_t messages = p - 1 + (total - scattered);
  const auto rounds = static_cast<std::uint32_t>(std::bit_width(p - 1)) + p - 1;
  return {p, rounds, 2 * std::uint64_t{p - 1}, total, 2 * messages + 1};
}

Formula spread_formula(const Plan&) {
  return {"ceil(log2 p) + p-1", "2(p-1)/p n"};
}

bool has_spread_link(const Plan&, int from, int to, int channel) {
  const bool to_child = to != 0 && (to & (to - 1)) == from;
  return channel == 0 && (to_child || to == from + 1);
}

}  // namespace

const Promise chain_promise = {&chain_figures, &chain_formula, &has_chain_link};
const Promise scatter_allgather_promise = {&spread_figures, &spread_formula, &has_spread_link};

}  // namespace rondo
