// Schedules as text: one line a step. The format is described in README.md beside this file.

#include "schedule/text.hpp"

#include <algorithm>
#include <array>
#include <sstream>

#include "base/text.hpp"

namespace rondo {

namespace {

constexpr std::array<std::string_view, 3> buffer_names = {"in", "out", "scratch"};

template <class Numbers>
std::string list(const Numbers& numbers) {
  std::string text;
  for (const auto number : numbers) text += concat(text.empty() ? "" : ",", number);
  return text;
}

// What a plan says beyond the parameters that every plan has.
std::string arrangement_text(const Plan& plan) {
  std::string text;
  if (plan.channels != 1) text += concat(" channels ", plan.channels);
  if (!plan.arrangement || plan.arrangement->is_plain()) return text;
  const Arrangement& arrangement = *plan.arrangement;
  text += concat(" order ", list(arrangement.order()), " groups ", list(arrangement.group_sizes()));
  if (!arrangement.weights().empty()) text += concat(" weights ", list(arrangement.weights()));
  return text;
}

}  // namespace

std::string_view name(Buffer buffer) {
  const auto index = static_cast<std::size_t>(buffer);
  return index < buffer_names.size() ? buffer_names[index] : "unknown";
}

std::string to_text(const Slice& slice) {
  const auto last = static_cast<std::int64_t>(slice.segment) + slice.count - 1;
  if (slice.count == 1) return concat(name(slice.buffer), "[", slice.segment, "]");
  return concat(name(slice.buffer), "[", slice.segment, "..", last, "]");
}

std::uint32_t implied_about(const Program& program, const Step& step) {
  const auto in_vector = [](Slice slice) { return slice.buffer != Buffer::scratch; };
  const auto place = [&](Slice slice) {
    return program.first_segment_of(slice.buffer) + slice.segment;
  };
  if (step.has_source() && in_vector(step.source())) return place(step.source());
  if (step.has_destination() && in_vector(step.destination())) return place(step.destination());
  if (step.has_source() && program.is_placed(step.source())) return place(step.source());
  if (step.has_destination() && program.is_placed(step.destination())) {
    return place(step.destination());
  }
  return 0;
}

std::string to_text(const Program& program, const Step& step) {
  std::ostringstream out;
  switch (step.op) {
    case StepOp::send:
      out << "send " << to_text(step.source()) << " to " << step.peer;
      break;
    case StepOp::recv:
      out << "recv " << to_text(step.destination()) << " from " << step.peer;
      if (step.accumulates()) out << " + " << to_text(step.source());
      break;
    case StepOp::copy:
      out << "copy " << to_text(step.source()) << " to " << to_text(step.destination());
      break;
    case StepOp::reduce:
      out << "reduce " << to_text(step.source()) << " to " << to_text(step.destination());
      break;
  }
  if (step.completes()) out << " complete";
  if (step.channel != 0) out << " channel " << +step.channel;
  if (step.publication() != 0) out << " publication " << step.publication();
  if (step.about != implied_about(program, step)) out << " about " << step.about;
  const auto last = std::find_if(step.waits.rbegin(), step.waits.rend(),
                                 [](const Wait& wait) { return wait != Wait{}; });
  if (last != step.waits.rend()) out << " wait";
  for (auto wait = step.waits.begin(); wait != last.base(); ++wait) {
    out << " " << wait->lane << ">=" << wait->count;
  }
  return out.str();
}

std::string where(const Program& program, std::size_t step_index) {
  const auto lane = std::upper_bound(program.lane_end.begin(), program.lane_end.end(), step_index);
  const auto lane_index = lane - program.lane_end.begin();
  const std::size_t begin = lane == program.lane_end.begin() ? 0 : *(lane - 1);
  return concat("rank ", program.rank, " lane ", lane_index, " step ", step_index - begin, " (",
                to_text(program, program.steps[step_index]), ")");
}

std::string to_text(const Plan& plan) {
  return concat(name(plan.algorithm), " ", name(plan.collective), " ranks ", plan.ranks, " root ",
                plan.root, " radix ", plan.radix, arrangement_text(plan));
}

std::string to_text(const Schedule& schedule) {
  std::ostringstream out;
  const Plan& plan = schedule.plan;
  out << "rondo schedule 1\n"
      << "plan " << to_text(plan) << "\n";
  for (const Program& program : schedule.programs) {
    const Shape& shape = program.shape;
    out << "\nrank " << program.rank << " blocks " << shape.blocks << " segments " << shape.segments
        << " scratch " << shape.scratch;
    if (shape.mirror > 0) out << " mirror " << shape.mirror << " from " << shape.mirror_first;
    out << "\n";
    for (int lane = 0; lane < program.lanes(); ++lane) {
      out << "lane " << lane << "\n";
      int index = 0;
      for (const Step& step : program.lane(lane)) {
        out << "  " << index++ << ": " << to_text(program, step) << "\n";
      }
    }
  }
  return out.str();
}

}  // namespace rondo
