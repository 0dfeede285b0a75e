// The graph of a schedule for Graphviz: what has to happen before what.

#include <sstream>

#include "base/text.hpp"
#include "check/verify.hpp"
#include "rondo/export_formats.hpp"
#include "schedule/text.hpp"

namespace rondo {

namespace {

// Graphviz takes minutes beyond.
constexpr std::size_t most_steps = 5'000;

std::string_view colour_of(const Step& step) {
  switch (step.op) {
    case StepOp::send:
      return "#dbe9f6";
    case StepOp::recv:
      return step.accumulates() ? "#fbe3d0" : "#e2f0d9";
    case StepOp::copy:
    case StepOp::reduce:
      break;
  }
  return "#eeeeee";
}

std::string node(int rank, std::uint32_t step) {
  return concat("r", rank, "s", step);
}

void write_lane(std::ostream& out, const Program& program, int lane) {
  const auto first = static_cast<std::uint32_t>(program.lane(lane).data() - program.steps.data());
  std::uint32_t index = first;
  for (Step step : program.lane(lane)) {
    const auto waits = step.waits;
    step.waits = {};  // edges show them
    const std::string here = node(program.rank, index);
    out << "    " << here << " [label=\"" << to_text(program, step) << "\", fillcolor=\""
        << colour_of(step) << "\"];\n";
    if (index > first) out << "    " << node(program.rank, index - 1) << " -> " << here << ";\n";
    for (const Wait& wait : waits) {
      if (wait.count == 0) continue;
      const std::uint32_t begin = wait.lane == 0 ? 0 : program.lane_end[wait.lane - 1];
      out << "    " << node(program.rank, begin + wait.count - 1) << " -> " << here
          << " [style=dashed];\n";
    }
    ++index;
  }
}

}  // namespace

Result<std::string> to_dot(const Schedule& schedule) {
  std::size_t steps = 0;
  for (const Program& program : schedule.programs) steps += program.steps.size();
  if (steps > most_steps) {
    return Error(
        ErrorCode::unsupported,
        concat("a schedule of ", steps, " steps is too large to draw: at most ", most_steps));
  }
  const Result<Trace> trace = trace_of(schedule);
  if (!trace) return trace.error();
  const Plan& plan = schedule.plan;
  std::ostringstream out;
  out << "digraph schedule {\n"
      << "  label=\"" << name(plan.algorithm) << " " << name(plan.collective) << " of "
      << plan.ranks << " ranks: lanes solid, waits dashed, messages bold\";\n"
      << "  rankdir=LR;\n"
      << "  node [shape=box, style=filled, fontname=\"sans-serif\", fontsize=10];\n";
  for (const Program& program : schedule.programs) {
    out << "  subgraph cluster_" << program.rank << " {\n    label=\"rank " << program.rank
        << "\";\n";
    for (int lane = 0; lane < program.lanes(); ++lane) write_lane(out, program, lane);
    out << "  }\n";
  }
  for (const Event& event : trace.value().events) {
    const int rank = static_cast<int>(event.rank);
    const Step& step = schedule.programs[event.rank].steps[event.step];
    if (step.op != StepOp::send) continue;
    out << "  " << node(rank, event.step) << " -> " << node(step.peer, event.recv_step)
        << " [style=bold, color=\"#c0392b\"];\n";
  }
  out << "}\n";
  return std::move(out).str();
}

}  // namespace rondo
