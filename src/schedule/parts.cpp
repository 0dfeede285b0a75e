// Into how many parts, and how unequal ones, algorithms can split the vector.

#include "base/text.hpp"
#include "schedule/generators.hpp"

namespace rondo {

namespace {

Error refuse(const std::string& text) {
  return Error(ErrorCode::invalid_argument, text);
}

Result<> check_weights(const Plan& plan) {
  const auto weights = plan.arrangement->weights();
  if (plan.algorithm != Algorithm::ring || plan.collective != Collective::allreduce) {
    return refuse(concat("only a ring allreduce has weights, not a ", name(plan.algorithm), " ",
                         name(plan.collective)));
  }
  if (plan.channels > 1) {
    return refuse(concat("a ring with weights has 1 channel, not ", plan.channels));
  }
  if (weights.size() != static_cast<std::size_t>(plan.ranks)) {
    return refuse(
        concat("a ring of ", plan.ranks, " ranks needs as many weights, not ", weights.size()));
  }
  return {};
}

}  // namespace

Result<> check_parts(const Plan& plan) {
  if (plan.arrangement && !plan.arrangement->weights().empty()) {
    if (Result<> weights = check_weights(plan); !weights) return weights;
  }
  if (plan.channels == 1 || plan.ranks == 1) return {};
  if (plan.algorithm == Algorithm::chain_tree) {
    return refuse(concat("chain_tree has 1 channel, not ", plan.channels));
  }
  if (plan.algorithm != Algorithm::two_level) return {};
  for (int group = 0; group < (plan.arrangement ? plan.arrangement->groups() : 1); ++group) {
    const int size = plan.arrangement ? plan.arrangement->size_of(group) : plan.ranks;
    if (size >= plan.channels) continue;
    return refuse(concat("two_level with ", plan.channels, " stripes needs as many ranks in each ",
                         "group; group ", group, " has ", size));
  }
  return {};
}

}  // namespace rondo
