#include "api/exchange.hpp"

#include "plan/planner.hpp"

namespace rondo {

namespace {

// Up to this many ranks everybody can send to everybody.
constexpr int few_ranks = 8;

}  // namespace

Result<Operation> Exchange::prepare(const Plan& plan, const Amount& amount) {
  Result<std::shared_ptr<const PreparedProgram>> program = plans_.get(plan);
  if (!program) return program.error();
  Operation operation;
  operation.call = {plan.collective, amount.dtype, amount.op,
                    plan.root,       amount.count, plan_hash(plan, amount.tile_bytes)};
  operation.set_program(std::move(program).value(), amount);
  operation.timeout = timeout_;
  return operation;
}

Result<> Exchange::run(Operation& operation, const std::byte* in, std::byte* out) {
  operation.in = in;
  operation.out = out;
  return engine_.run(operation);
}

Result<> Exchange::run_once(const Plan& plan, const Amount& amount, const std::byte* in,
                            std::byte* out) {
  Result<Operation> operation = prepare(plan, amount);
  if (!operation) return operation.error();
  return run(operation.value(), in, out);
}

Result<> Exchange::allgather(std::span<const std::byte> mine, std::span<std::byte> all) {
  const Algorithm algorithm = size() <= few_ranks ? Algorithm::one_shot : Algorithm::ring;
  return run_once({algorithm, Collective::allgather, size(), 0, 2}, {.count = mine.size()},
                  mine.data(), all.data());
}

Result<> Exchange::broadcast(std::span<std::byte> bytes, int root) {
  return run_once({Algorithm::knomial, Collective::broadcast, size(), root, 2},
                  {.count = bytes.size()}, bytes.data(), bytes.data());
}

}  // namespace rondo
