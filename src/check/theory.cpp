#include "check/theory.hpp"

#include <array>

#include "check/theories.hpp"
#include "schedule/generators.hpp"

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

// How many ranks stand before this one on the line of a plan: from the root of a rooted collective
// on, its group comes first, and is gone round.
int number_on_line(const Plan& plan, int rank) {
  const Arrangement* arrangement = plan.arrangement.get();
  const auto position = [&](int of) { return arrangement ? arrangement->position_of(of) : of; };
  if (!is_rooted(plan.collective)) return position(rank);
  const int root = position(plan.root);
  const int place = position(rank);
  const int group = arrangement ? arrangement->group_of(root) : 0;
  const int begin = arrangement ? arrangement->begin_of(group) : 0;
  const int end = begin + (arrangement ? arrangement->size_of(group) : plan.ranks);
  if (place >= end) return place - begin;
  if (place < begin) return place - begin + plan.ranks;
  return place >= root ? place - root : place + (end - begin) - root;
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
  const Promise& promise = promise_of(plan.algorithm);
  if (arranged(plan.algorithm, plan.collective) != Arranged::along_line) {
    return promise.has_link(plan, from, to, channel);
  }
  const Plan numbered{plan.algorithm, plan.collective, plan.ranks, 0, plan.radix, plan.channels};
  return promise.has_link(numbered, number_on_line(plan, from), number_on_line(plan, to), channel);
}

}  // namespace rondo
