#include <algorithm>
#include <limits>
#include <utility>

#include "base/hash.hpp"
#include "base/text.hpp"
#include "check/arranged.hpp"
#include "sim/simulation.hpp"

namespace rondo::sim {

namespace {

constexpr std::size_t whole = std::numeric_limits<std::size_t>::max();

Plan draw_plan(Random& random, int ranks) {
  Plan plan;
  plan.ranks = ranks;
  do {
    plan.algorithm = static_cast<Algorithm>(random.below(algorithm_count));
    plan.collective = static_cast<Collective>(random.below(collective_count));
  } while (!is_supported(plan.algorithm, plan.collective));
  if (plan.algorithm == Algorithm::knomial) plan.radix = 2 + static_cast<int>(random.below(4));
  if (is_rooted(plan.collective)) {
    plan.root = static_cast<int>(random.below(static_cast<std::uint64_t>(ranks)));
  }
  const std::vector<Plan> arranged =
      arranged_plans(plan.algorithm, plan.collective, ranks, plan.root);
  if (arranged.empty() || random.chance(30)) return plan;
  return arranged[random.below(arranged.size())];
}

std::size_t draw_count(Random& random, int ranks) {
  switch (random.below(6)) {
    case 0:
      return 0;
    case 1:
      return 1;
    case 2:
      return random.below(static_cast<std::uint64_t>(ranks) + 1);
    case 3:
      return 97;
    default:
      return random.below(700);
  }
}

}  // namespace

std::uint64_t Random::next() {
  // The seeds that follow each other must not have the same numbers one after the other.
  return splitmix(std::exchange(state_, state_ + 0x9e3779b97f4a7c15u));
}

Scenario draw_scenario(std::uint64_t seed) {
  Random random(seed);
  Scenario scenario;
  scenario.seed = seed;
  const int ranks = 1 + static_cast<int>(random.below(9));
  const std::uint64_t jobs = 1 + random.below(3);
  while (scenario.jobs.size() < jobs) {
    Task task;
    task.plan = draw_plan(random, ranks);
    task.count = task.plan.collective == Collective::barrier ? 0 : draw_count(random, ranks);
    task.dtype = static_cast<DType>(random.below(dtype_count));
    do {
      task.op = static_cast<Op>(random.below(op_count));
    } while (!is_defined(task.op, task.dtype) ||
             (task.op == Op::avg && reduces_prefix(task.plan.collective)));
    task.tile_bytes = random.one_of<std::size_t>({0, 0, 1, 8, 64, 100, 1000});
    task.in_place = random.chance(50);
    task.chunk_bytes = random.one_of<std::size_t>({0, 0, 8, 104, 1000});
    Result<Schedule> schedule = make_schedule(task.plan);
    if (schedule) scenario.jobs.push_back({task, std::move(schedule).value().programs});
  }
  scenario.mean_delay = random.one_of<std::uint64_t>({0, 1, 10, 100});
  scenario.slow_percent = random.one_of<std::uint64_t>({0, 0, 20, 50});
  scenario.largest_piece_bytes = random.one_of<std::size_t>({whole, whole, 300, 16, 3});
  scenario.absorb_percent = random.one_of<std::uint64_t>({0, 0, 30, 100});
  scenario.lends = random.chance(50);
  const auto some_rank = [&] {
    return static_cast<int>(random.below(static_cast<std::uint64_t>(ranks)));
  };
  if (random.chance(20)) {
    scenario.stalled_rank = some_rank();
    scenario.stalled_until = random.below(2000);
  }
  if (random.chance(15)) {
    scenario.dying_rank = some_rank();
    scenario.dies_at = random.below(300);
  }
  return scenario;
}

std::string describe(const Scenario& scenario) {
  std::string text;
  for (const Job& job : scenario.jobs) text += concat("  ", describe(job.task), "\n");
  text += concat("  network: mean delay ", scenario.mean_delay, ", ", scenario.slow_percent,
                 "% of the routes slow, ");
  if (scenario.largest_piece_bytes == whole) {
    text += "whole messages";
  } else {
    text += concat("pieces of up to ", scenario.largest_piece_bytes, " bytes");
  }
  text += concat(", ", scenario.absorb_percent, "% absorbed, borrowed bytes ",
                 scenario.lends ? "lent" : "copied", "\n");
  if (scenario.stalled_rank >= 0) {
    text +=
        concat("  rank ", scenario.stalled_rank, " stalls until ", scenario.stalled_until, "\n");
  }
  if (scenario.dying_rank >= 0) {
    text += concat("  rank ", scenario.dying_rank, " dies at ", scenario.dies_at, "\n");
  }
  return text;
}

}  // namespace rondo::sim
