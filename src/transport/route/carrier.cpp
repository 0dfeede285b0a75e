#include "transport/route/carrier.hpp"

#include "base/hash.hpp"

namespace rondo::process {

Operation make_operation(std::uint64_t context, std::uint64_t sequence, const Call& call) {
  const std::uint64_t words =
      static_cast<std::uint64_t>(call.collective) | static_cast<std::uint64_t>(call.dtype) << 8 |
      static_cast<std::uint64_t>(call.op) << 16 | static_cast<std::uint64_t>(call.form) << 24 |
      static_cast<std::uint64_t>(static_cast<std::uint32_t>(call.root)) << 32;
  Operation operation;
  operation.frame = make_frame(context, sequence, call);
  operation.digest = splitmix(splitmix(words ^ call.plan_hash) + call.count);
  renumber(operation, sequence);
  return operation;
}

// Ranks count their exchanges each for itself, and agree message by message.
void renumber(Operation& operation, std::uint64_t sequence) {
  operation.frame.sequence = sequence;
  if (operation.frame.form == Form::exchange) return;
  operation.agreement = splitmix(operation.digest + sequence);
}

bool agrees(const Frame& frame, const Operation& operation) {
  const Frame& own = operation.frame;
  if (own.form == Form::exchange && frame.form == Form::exchange) return true;
  return frame.sequence == own.sequence && frame.call() == own.call();
}

}  // namespace rondo::process
