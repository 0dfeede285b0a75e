#include "check/theories.hpp"

namespace rondo {

namespace {

// Blocks that go to their place at once, 64 at a time.
Theory block_figures(const Plan& plan) {
  const auto p = static_cast<std::uint32_t>(plan.ranks);
  const std::uint32_t rounds = (p - 1 + 63) / 64;
  const std::uint64_t all = std::uint64_t{p} * (p - 1);
  switch (plan.collective) {
    case Collective::gather:
      return {p, rounds, 1, p - 1, 2 * std::uint64_t{p - 1} + 1};
    case Collective::scatter:
      return {p, rounds, p - 1, p - 1, 2 * std::uint64_t{p - 1} + 1};
    default:  // alltoall, where every block is copied to its place
      return {p, rounds, p - 1, all, 2 * all + std::uint64_t{p} * p};
  }
}

bool moves_blocks(Collective collective) {
  return collective == Collective::gather || collective == Collective::scatter ||
         collective == Collective::alltoall;
}

Theory figures(const Plan& plan) {
  if (moves_blocks(plan.collective)) return block_figures(plan);
  const auto p = static_cast<std::uint32_t>(plan.ranks);
  const bool two_shot = plan.algorithm == Algorithm::two_shot;
  const std::uint32_t rounds = (two_shot ? 2 : 1) * (p - 1);
  const std::uint64_t total = std::uint64_t{p} * rounds;
  // Each rank copies its own contribution aside and reduces once.
  const std::uint64_t local = plan.collective == Collective::allgather ? p : 2 * std::uint64_t{p};
  const bool whole = !two_shot && (plan.collective == Collective::allreduce ||
                                   plan.collective == Collective::barrier);
  return {whole ? 1 : p, rounds, rounds, total, 2 * total + local};
}

Formula formula(const Plan& plan) {
  if (plan.collective == Collective::gather) return {"ceil((p-1)/64)", "1/p n"};
  if (moves_blocks(plan.collective)) return {"ceil((p-1)/64)", "(p-1)/p n"};
  if (plan.algorithm == Algorithm::two_shot) return {"2(p-1)", "2(p-1)/p n"};
  return {"p-1", has_blocks(plan.collective) ? "(p-1)/p n" : "(p-1) n"};
}

bool has_link(const Plan& plan, int from, int to, int channel) {
  if (plan.collective == Collective::gather && to != plan.root) return false;
  if (plan.collective == Collective::scatter && from != plan.root) return false;
  return channel == 0;
}

}  // namespace

const Promise direct_promise = {&figures, &formula, &has_link};

}  // namespace rondo
