#include "transport/route/carrier.hpp"

#include <algorithm>

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

namespace {

Trouble judge(const Frame& frame, const Operation& operation, const NextMessage& next) {
  const bool is_next = is_sound(frame) && frame.context == operation.frame.context &&
                       frame.channel == next.channel && frame.position == next.position;
  if (!is_next) return Trouble::garbage;
  return agrees(frame, operation) ? Trouble::none : Trouble::disagreement;
}

}  // namespace

bool accept_frame(Traffic& traffic, const Operation& operation, const NextMessage& next) {
  const Frame& frame = traffic.frame;
  const Transfer& transfer = traffic.recvs.front();
  traffic.trouble = judge(frame, operation, next);
  const bool is_wrong = frame.bytes != transfer.size ||
                        (operation.frame.form == Form::exchange && frame.dtype != transfer.dtype);
  if (traffic.trouble == Trouble::none && is_wrong) traffic.trouble = Trouble::wrong_size;
  if (traffic.trouble != Trouble::none) return false;
  traffic.last_heard = frame.sequence;
  return true;
}

void note_early_frame(Traffic& traffic, const Frame& frame, const Operation& operation,
                      const NextMessage& next) {
  const Trouble found = judge(frame, operation, next);
  if (found != Trouble::garbage) traffic.last_heard = std::max(traffic.last_heard, frame.sequence);
  // The peer may have finished this operation and begun the next one.
  if (found == Trouble::disagreement && frame.sequence > operation.frame.sequence) return;
  traffic.trouble = found;
  traffic.frame = frame;
}

}  // namespace rondo::process
