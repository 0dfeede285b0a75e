#include "check/scene.hpp"

#include <algorithm>
#include <tuple>

#include "base/text.hpp"
#include "check/verify.hpp"

namespace rondo {

namespace {

constexpr int most_ranks = 128;
constexpr std::size_t most_arrows = 20'000;

std::string plural(std::uint64_t count, std::string_view noun) {
  return concat(count, " ", noun, count == 1 ? "" : "s");
}

}  // namespace

std::string Arrow::label() const {
  return last == segment ? concat(segment) : concat(segment, "-", last);
}

Result<Scene> scene_of(const Schedule& schedule) {
  const Result<Trace> trace = trace_of(schedule);
  if (!trace) return trace.error();
  const Plan& plan = schedule.plan;
  const Shape& shape = schedule.programs.front().shape;
  Scene scene;
  scene.ranks = plan.ranks;
  scene.rounds = trace.value().rounds;
  scene.segments = shape.blocks * shape.segments;
  scene.title = concat(name(plan.algorithm), " ", name(plan.collective), " of ",
                       plural(static_cast<std::uint64_t>(plan.ranks), "rank"));
  scene.subtitle = concat(plural(scene.rounds, "round"), ", ", plural(scene.segments, "segment"));
  if (is_rooted(plan.collective)) {
    scene.subtitle += concat(", root ", plan.root);
  }
  for (const Event& event : trace.value().events) {
    const Step& step = schedule.programs[event.rank].steps[event.step];
    if (step.op == StepOp::copy) continue;
    const bool message = step.op == StepOp::send;
    const int to = message ? step.peer : static_cast<int>(event.rank);
    const Step& last = message ? schedule.programs[to].steps[event.recv_step] : step;
    const std::uint32_t run = message ? step.count : 1;
    scene.arrows.push_back({static_cast<int>(event.rank), to, event.round, step.about,
                            (step.about + run - 1) % scene.segments, !message || last.accumulates(),
                            last.completes(), step.publication()});
  }
  if (scene.ranks > most_ranks || scene.arrows.size() > most_arrows) {
    return Error(ErrorCode::unsupported,
                 concat(scene.title, " is too large to draw: at most ", most_ranks, " ranks and ",
                        most_arrows, " messages"));
  }
  const auto key = [](const Arrow& a) {
    return std::tuple(a.round, a.to, a.is_local(), a.segment, a.from);
  };
  std::sort(scene.arrows.begin(), scene.arrows.end(),
            [&](const Arrow& a, const Arrow& b) { return key(a) < key(b); });
  return scene;
}

}  // namespace rondo
