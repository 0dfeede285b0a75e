#include "plan/uneven.hpp"

namespace rondo {

bool all_know_lengths(Collective collective) {
  return collective == Collective::allgather || collective == Collective::reduce_scatter;
}

Result<Choice> choose_uneven(Planner& planner, Collective collective, std::size_t bytes) {
  const Result<const Choice*> planned = planner.choose(collective, bytes);
  if (!planned) return planned.error();
  Choice choice = *planned.value();
  if (!is_supported_uneven(choice.plan.algorithm, collective)) {
    // Each block travels straight to where it belongs.
    const Algorithm straight = is_supported_uneven(Algorithm::pairwise, collective)
                                   ? Algorithm::pairwise
                                   : Algorithm::one_shot;
    if (!is_planned(choice.cause)) choice.passed_over = name(choice.plan.algorithm);
    choice.plan = {straight, collective, planner.ranks()};
  }
  if (!all_know_lengths(collective)) choice.tile_bytes = 0;
  choice.hash = plan_hash(choice.plan, choice.tile_bytes);
  return choice;
}

}  // namespace rondo
