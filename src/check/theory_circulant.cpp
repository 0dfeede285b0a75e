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

// A run of m segments goes past the end of the vector at m-1 ranks. All rounds of a phase together
// carry p-1 segments to a rank.
Theory figures(const Plan& plan) {
  const auto p = static_cast<std::uint32_t>(plan.ranks);
  const std::uint32_t rounds = logarithm(p);
  const std::uint64_t split = p - 1 - rounds;
  const std::uint64_t messages = phases(plan) * (std::uint64_t{p} * rounds + split);
  const std::uint64_t sent = phases(plan) * std::uint64_t{p - 1};
  const bool copies = plan.collective == Collective::allgather || p % 2 == 1;
  return {p, phases(plan) * rounds, sent, p * sent, 2 * messages + (copies ? p : 0)};
}

Formula formula(const Plan& plan) {
  if (has_blocks(plan.collective)) return {"ceil(log2 p)", "(p-1)/p n"};
  return {"2 ceil(log2 p)", "2(p-1)/p n"};
}

// The run of a message begins at the rank `at`, which is the receiver's for sums and the sender's
// for results.
bool has_run(const Plan& plan, int at, int distance, int channel) {
  for (int k = 1; halved(plan.ranks, k - 1) > 1; ++k) {
    const int kept = halved(plan.ranks, k);
    const int length = halved(plan.ranks, k - 1) - kept;
    if (kept == distance && (channel == 0 || at + length > plan.ranks)) return true;
  }
  return false;
}

bool has_link(const Plan& plan, int from, int to, int channel) {
  if (channel > 1) return false;
  const auto distance = [&](int a, int b) { return (b - a + plan.ranks) % plan.ranks; };
  const bool sums = plan.collective != Collective::allgather;
  const bool results = plan.collective != Collective::reduce_scatter;
  return (sums && has_run(plan, to, distance(from, to), channel)) ||
         (results && has_run(plan, from, distance(to, from), channel));
}

}  // namespace

const Promise circulant_promise = {&figures, &formula, &has_link};

}  // namespace rondo
