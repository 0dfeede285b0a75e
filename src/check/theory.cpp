#include "check/theory.hpp"

#include <array>

#include "check/theories.hpp"

namespace rondo {

namespace {

const Promise& promise_of(Algorithm algorithm) {
  static const std::array<const Promise*, algorithm_count> promises = {
      &direct_promise,  // automatic never gets here
      &ring_promise,
      &double_tree_promise,
      &direct_promise,  // one_shot
      &direct_promise,  // two_shot
      &knomial_promise,
      &circulant_promise,
      &recursive_doubling_promise,
      &halving_doubling_promise,
      &chain_promise,
      &scatter_allgather_promise,
      &pairwise_promise,
      &bruck_promise,
      &two_level_promise,
      &chain_tree_promise,
  };
  return *promises[static_cast<std::size_t>(algorithm)];
}

}  // namespace

Theory theory(const Plan& plan) {
  if (plan.ranks == 1) return {.steps = plan.collective == Collective::exscan ? 0u : 1u};
  return promise_of(plan.algorithm).figures(plan);
}

Formula formula_of(const Plan& plan) {
  return promise_of(plan.algorithm).formula(plan);
}

bool is_planned_link(const Plan& plan, int from, int to, int channel) {
  return promise_of(plan.algorithm).has_link(plan, from, to, channel);
}

}  // namespace rondo
