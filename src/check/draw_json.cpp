// What the drawings of a schedule show, as data.

#include "base/text.hpp"
#include "check/scene.hpp"
#include "schedule/text.hpp"

namespace rondo {

namespace {

std::string json(const Arrow& arrow) {
  return concat("{\"round\":", arrow.round, ",\"from\":", arrow.from, ",\"to\":", arrow.to,
                ",\"first\":", arrow.segment, ",\"last\":", arrow.last,
                ",\"adds\":", arrow.adds ? "true" : "false",
                ",\"completes\":", arrow.completes ? "true" : "false",
                arrow.publication == 0 ? "" : concat(",\"publication\":", arrow.publication), "}");
}

}  // namespace

Result<std::string> draw_json(const Schedule& schedule) {
  const Result<Scene> found = scene_of(schedule);
  if (!found) return found.error();
  const Scene& scene = found.value();
  return concat("{\"title\":", json_text(scene.title), ",\"plan\":", plan_json(schedule.plan),
                ",\"rounds\":", scene.rounds, ",\"segments\":", scene.segments, ",\"arrows\":",
                json_list(scene.arrows, [](const Arrow& arrow) { return json(arrow); }), "}\n");
}

}  // namespace rondo
