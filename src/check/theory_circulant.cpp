#include <bit>

#include "check/theories.hpp"

namespace rondo {

namespace {

std::uint32_t logarithm(std::uint32_t p) {  // rounded up
  return static_cast<std::uint32_t>(std::bit_width(p - 1));
}

std::uint32_t phases(const Plan& plan) {
  return plan.collective == Collective::allreduce ? 2 : 1;
}

// Halving k times in a row, rounded up, is one division rounded up.
int halved(int p, int times) {
  return static_cast<int>((p + (std::int64_t{1} << times) - 1) >> times);
}

// All rounds of a phase together carry p-1 segments to a rank.
Theory figures(const Plan& plan) {
  const auto p = static_cast<std::uint32_t>(plan.ranks);
  const std::uint32_t rounds = logarithm(p);
  const std::uint64_t messages = phases(plan) * std::uint64_t{p} * rounds;
  const std::uint64_t sent = phases(plan) * std::uint64_t{p - 1};
  const bool copies = plan.collective == Collective::allgather || p % 2 == 1;
  return {p, phases(plan) * rounds, sent, p * sent, 2 * messages + (copies ? p : 0)};
}

Formula formula(const Plan& plan) {
  if (has_blocks(plan.collective)) return {"ceil(log2 p)", "(p-1)/p n"};
  return {"2 ceil(log2 p)", "2(p-1)/p n"};
}

// Whether some round passes sums to the rank so far after the sender; results go back the same way.
bool has_distance(int ranks, int distance) {
  for (int k = 1; halved(ranks, k - 1) > 1; ++k) {
    if (halved(ranks, k) == distance) return true;
  }
  return false;
}

bool has_link(const Plan& plan, int from, int to, int channel) {
  if (channel > 0) return false;
  const auto distance = [&](int a, int b) { return (b - a + plan.ranks) % plan.ranks; };
  const bool sums = plan.collective != Collective::allgather;
  const bool results = plan.collective != Collective::reduce_scatter;
  return (sums && has_distance(plan.ranks, distance(from, to))) ||
         (results && has_distance(plan.ranks, distance(to, from)));
}

}  // namespace

const Promise circulant_promise = {&figures, &formula, &has_link};

}  // namespace rondo
