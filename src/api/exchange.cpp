#include "api/exchange.hpp"

#include "plan/planner.hpp"

namespace rondo {

namespace {

// Up to this many ranks everybody can send to everybody.
constexpr int few_ranks = 8;

}  // namespace

Result<> Exchange::run(const Plan& plan, const Operands& operands) {
  Result<std::shared_ptr<const PreparedProgram>> program = plans_.get(plan);
  if (!program) return program.error();
  Operation operation;
  operation.call = {plan.collective, operands.dtype, operands.op,
                    plan.root,       operands.count, plan_hash(plan, operands.tile_bytes)};
  operation.program = std::move(program).value();
  operation.operands = operands;
  operation.timeout = timeout_;
  return engine_.run(operation);
}

Result<> Exchange::allgather(std::span<const std::byte> mine, std::span<std::byte> all) {
  const Algorithm algorithm = size() <= few_ranks ? Algorithm::one_shot : Algorithm::ring;
  return run({algorithm, Collective::allgather, size(), 0, 2},
             {.in = mine.data(), .out = all.data(), .count = mine.size()});
}

Result<> Exchange::broadcast(std::span<std::byte> bytes, int root) {
  return run({Algorithm::knomial, Collective::broadcast, size(), root, 2},
             {.in = bytes.data(), .out = bytes.data(), .count = bytes.size()});
}

}  // namespace rondo
