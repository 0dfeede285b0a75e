#include "check/verify.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "check/dataflow.hpp"
#include "check/hazards.hpp"
#include "check/structure.hpp"
#include "check/theory.hpp"
#include "schedule/text.hpp"

namespace rondo {

namespace {

Error wrong(const std::string& text) {
  return Error(ErrorCode::invalid_argument, text);
}

Result<> check_links(const Program& program) {
  for (std::size_t i = 0; i < program.steps.size(); ++i) {
    const Step& step = program.steps[i];
    if (!step.is_message()) continue;
    const bool sends = step.op == StepOp::send;
    const int from = sends ? program.rank : step.peer;
    const int to = sends ? step.peer : program.rank;
    if (is_planned_link(program.plan, from, to, step.channel)) continue;
    return wrong(concat(where(program, i), ": a ", name(program.plan.algorithm), " ",
                        name(program.plan.collective), " has no link from rank ", from, " to rank ",
                        to, " on channel ", +step.channel));
  }
  return {};
}

std::uint64_t sent_by(const Program& program) {
  std::uint64_t sent = 0;
  for (const Step& step : program.steps) sent += step.op == StepOp::send ? step.count : 0;
  return sent;
}

Proof figures(const Schedule& schedule, const Trace& trace, const Sums& sums) {
  Proof proof;
  const Shape& shape = schedule.programs.front().shape;
  proof.segments = shape.blocks * shape.segments;
  proof.rounds = trace.rounds;
  for (const Program& program : schedule.programs) {
    const std::uint64_t sent = sent_by(program);
    proof.steps += program.steps.size();
    proof.max_sent = std::max(proof.max_sent, sent);
    proof.total_sent += sent;
  }
  proof.orders = sums.orders;
  return proof;
}

Result<> check_figures(const Plan& plan, const Proof& proof) {
  const Theory promised = theory(plan);
  const auto check = [&](std::string_view what, std::uint64_t found,
                         std::uint64_t expected) -> Result<> {
    if (found == expected) return {};
    return wrong(concat("a ", name(plan.algorithm), " ", name(plan.collective), " of ", plan.ranks,
                        " ranks has ", expected, " ", what, ", this schedule has ", found));
  };
  if (Result<> r = check("segments", proof.segments, promised.segments); !r) return r;
  if (Result<> r = check("segments sent by all ranks", proof.total_sent, promised.total_sent); !r) {
    return r;
  }
  if (Result<> r = check("segments sent by the busiest rank", proof.max_sent, promised.max_sent);
      !r) {
    return r;
  }
  if (Result<> r = check("rounds", proof.rounds, promised.rounds); !r) return r;
  return check("steps", proof.steps, promised.steps);
}

}  // namespace

Result<Trace> trace_of(const Schedule& schedule) {
  if (Result<> structure = check_structure(schedule); !structure) return structure.error();
  HazardCheck hazards;
  for (const Program& program : schedule.programs) {
    if (Result<> checked = hazards.run(program); !checked) return checked.error();
  }
  return rendezvous(schedule);
}

Result<Proof> verify(const Schedule& schedule) {
  const Result<Trace> trace = trace_of(schedule);
  if (!trace) return trace.error();
  const Result<Sums> sums = check_dataflow(schedule, trace.value());
  if (!sums) return sums.error();
  for (const Program& program : schedule.programs) {
    if (Result<> links = check_links(program); !links) return links.error();
  }
  const Proof proof = figures(schedule, trace.value(), sums.value());
  if (Result<> promised = check_figures(schedule.plan, proof); !promised) return promised.error();
  return proof;
}

}  // namespace rondo
