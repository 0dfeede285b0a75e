#include "plan/cache.hpp"

#include <algorithm>

namespace rondo {

namespace {

std::vector<Link> links_of(const Program& program) {
  std::vector<Link> links;
  for (const Step& step : program.steps) {
    if (step.is_message()) links.push_back({step.peer, step.channel});
  }
  std::sort(links.begin(), links.end());
  links.erase(std::unique(links.begin(), links.end()), links.end());
  return links;
}

#ifdef RONDO_VERIFY_PLANS
// Larger worlds are proved by the test suite; here it would cost every rank the whole schedule.
constexpr int max_verified_ranks = 64;

Result<> prove(const Plan& plan) {
  if (plan.ranks > max_verified_ranks) return {};
  const Result<Schedule> schedule = make_schedule(plan);
  if (!schedule) return schedule.error();
  const Result<Proof> proof = verify(schedule.value());
  if (!proof) return proof.error();
  return {};
}
#else
Result<> prove(const Plan&) {
  return {};
}
#endif

}  // namespace

Result<std::shared_ptr<const PreparedProgram>> PlanCache::get(const Plan& plan) {
  const Key key{plan.algorithm, plan.collective,       plan.ranks, plan.root, plan.radix,
                plan.channels,  plan.arrangement.get()};
  const auto found = programs_.find(key);
  if (found != programs_.end()) return found->second;
  if (Result<> proved = prove(plan); !proved) return proved.error();
  Result<Program> program = make_program(plan, rank_);
  if (!program) return program.error();
  std::vector<Link> links = links_of(program.value());
  std::shared_ptr<const PreparedProgram> prepared = std::make_shared<PreparedProgram>(
      PreparedProgram{std::move(program).value(), std::move(links)});
  programs_.emplace(key, prepared);
  return prepared;
}

}  // namespace rondo
