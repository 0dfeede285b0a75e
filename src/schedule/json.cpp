// A schedule as JSON, for other programs. What a step has none of is left out.

#include <array>

#include "base/text.hpp"
#include "schedule/text.hpp"

namespace rondo {

namespace {

std::string json(const Slice& slice) {
  return concat("{\"buffer\":", json_text(name(slice.buffer)), ",\"segment\":", slice.segment,
                ",\"count\":", slice.count, "}");
}

std::string waits_json(const Step& step) {
  std::vector<Wait> waits;
  for (const Wait& wait : step.waits) {
    if (wait.count > 0) waits.push_back(wait);
  }
  return json_list(waits, [](const Wait& wait) {
    return concat("{\"lane\":", wait.lane, ",\"count\":", wait.count, "}");
  });
}

std::string json(const Step& step) {
  constexpr std::array<std::string_view, 4> verbs = {"send", "recv", "copy", "reduce"};
  std::string text = concat("{\"op\":", json_text(verbs[static_cast<std::size_t>(step.op)]));
  if (step.is_message()) {
    text += concat(",\"peer\":", step.peer, ",\"channel\":", int{step.channel});
  }
  if (step.publication() != 0) text += concat(",\"publication\":", step.publication());
  if (step.has_source()) text += concat(",\"source\":", json(step.source()));
  if (step.has_destination()) text += concat(",\"destination\":", json(step.destination()));
  return concat(text, ",\"about\":", step.about,
                ",\"completes\":", step.completes() ? "true" : "false",
                ",\"waits\":", waits_json(step), "}");
}

std::string json(const Program& program) {
  const Shape& shape = program.shape;
  std::vector<int> lanes(static_cast<std::size_t>(program.lanes()));
  for (std::size_t lane = 0; lane < lanes.size(); ++lane) lanes[lane] = static_cast<int>(lane);
  const auto lane_json = [&](int lane) {
    return json_list(program.lane(lane), [](const Step& step) { return json(step); });
  };
  return concat("{\"rank\":", program.rank, ",\"blocks\":", shape.blocks,
                ",\"segments\":", shape.segments, ",\"scratch\":", shape.scratch,
                ",\"mirror\":", shape.mirror, ",\"mirror_first\":", shape.mirror_first,
                ",\"lanes\":", json_list(lanes, lane_json), "}");
}

}  // namespace

std::string plan_json(const Plan& plan) {
  const auto number = [](const auto& value) { return concat(value); };
  std::string text =
      concat("{\"algorithm\":", json_text(name(plan.algorithm)),
             ",\"collective\":", json_text(name(plan.collective)), ",\"ranks\":", plan.ranks,
             ",\"root\":", plan.root, ",\"radix\":", plan.radix, ",\"channels\":", plan.channels);
  if (plan.arrangement) {
    const Arrangement& arrangement = *plan.arrangement;
    text += concat(",\"order\":", json_list(arrangement.order(), number),
                   ",\"groups\":", json_list(arrangement.group_sizes(), number),
                   ",\"weights\":", json_list(arrangement.weights(), number));
  }
  return text + "}";
}

std::string to_json(const Schedule& schedule) {
  return concat("{\"plan\":", plan_json(schedule.plan), ",\"programs\":",
                json_list(schedule.programs, [](const Program& program) { return json(program); }),
                "}\n");
}

}  // namespace rondo
