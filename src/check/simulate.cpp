#include "rondo/simulate.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "check/clockwork.hpp"
#include "check/folding.hpp"
#include "check/simulation.hpp"
#include "check/theory.hpp"
#include "schedule/generators.hpp"
#include "schedule/window.hpp"

namespace rondo {

namespace {

// Half a gigabyte of them.
constexpr std::uint64_t most_steps = 1 << 24;
// A sum of times beyond this would leave 64 bits of picoseconds; nobody sends it either.
constexpr std::uint64_t most_bytes = std::uint64_t{1} << 50;
// Fewer say little about the pace of many.
constexpr std::uint32_t least_tiles = 4;

Error refuse(std::string text) {
  return Error(ErrorCode::invalid_argument, std::move(text));
}

Result<> check_machine(const Plan& plan, const CostModel& model) {
  if (model.ranks != plan.ranks) {
    return refuse(
        concat("a plan for ", plan.ranks, " ranks does not fit a machine of ", model.ranks));
  }
  if (model.links.empty() || !model.class_of || !model.port_of) {
    return refuse("a machine needs classes of links, class_of and port_of");
  }
  return {};
}

// Why a plan of so many steps, and so many in the ranks of a period, can't be simulated.
Error too_many_steps(const Plan& plan, std::uint64_t steps, int period,
                     std::uint64_t period_steps) {
  const std::string all = concat("the ", name(plan.algorithm), " ", name(plan.collective), " of ",
                                 plan.ranks, " ranks has ", steps, " steps");
  if (period > 0 && period_steps > most_steps) {
    return Error(ErrorCode::unsupported,
                 concat(all, ", and the ", period, " ranks after which the machine repeats itself ",
                        "have ", period_steps, "; up to ", most_steps, " are simulated"));
  }
  return Error(ErrorCode::unsupported, concat(all, "; up to ", most_steps,
                                              " are simulated where ranks are not alike, as on ",
                                              "hosts with equally many of them"));
}

Result<> check_load(const Workload& workload) {
  if (workload.element_bytes == 0 || workload.bytes > most_bytes) {
    return refuse(concat("elements have a byte or more and a vector up to ", most_bytes,
                         " of them, not ", workload.element_bytes, " and ", workload.bytes));
  }
  return {};
}

// The layout and the tiles as the executor has them, less some tiles of every segment.
Tiling make_tiling(const Program& program, const Workload& workload, bool folded,
                   std::uint64_t tiles_left_out) {
  const Shape& shape = program.shape;
  const std::uint64_t elements = workload.bytes / workload.element_bytes / shape.blocks;
  Tiling tiling{.layout = Layout::of(program.plan, shape, elements),
                .vector_segments = program.vector_segments(),
                .element_bytes = workload.element_bytes,
                .all_longest = folded};
  tiling.tile_elements =
      tile_elements(tiling.layout.longest(), workload.element_bytes, workload.tile_bytes);
  const std::uint64_t left_out = tiles_left_out * tiling.tile_elements * shape.segments;
  tiling.layout = Layout::of(program.plan, shape, elements - left_out);
  tiling.tiles = tiles_of(tiling.layout.longest(), tiling.tile_elements);
  tiling.window_tiles = std::min(tiling.tiles, window_tiles(program.plan, workload.tile_bytes));
  return tiling;
}

// How many tiles are simulated before the rest is extrapolated. Ranks may be as many tiles ahead as
// windows take: until these are full, the pace is not settled. Very large worlds get fewer tiles;
// a pipeline through a deep tree then looks faster than it is.
std::uint64_t settled_tiles(std::uint64_t steps, const CostModel& model, const Workload& workload,
                            const SimulateOptions& options) {
  std::uint64_t window = 0;
  for (const LinkCost& link : model.links) window = std::max(window, link.window_bytes);
  const std::uint64_t tile = std::max<std::uint64_t>(workload.tile_bytes, 1);
  const std::uint64_t wanted =
      std::max(options.most_tiles, least_tiles) + 4 * std::min(window / tile, most_steps);
  return std::min(
      wanted, std::max<std::uint64_t>(options.most_tile_steps / std::max<std::uint64_t>(steps, 1),
                                      least_tiles));
}

// A longest path through a periodic graph grows by its heaviest cycle per period once it is long
// enough: so does the time with each further tile. Ranks that compete for ports may fall into
// patterns over several tiles, hence the slope over many.
Result<Simulation> run(const FoldedWorld& world, const CostModel& model, Flows* flows,
                       const Workload& workload, const SimulateOptions& options) {
  const bool folded = static_cast<int>(world.programs.size()) < world.ranks;
  const Program& first = world.programs.front();
  const Tiling whole = make_tiling(first, workload, folded, 0);
  Simulation result{.tiles = whole.tiles,
                    .simulated_tiles = whole.tiles,
                    .simulated_ranks = static_cast<int>(world.programs.size())};
  std::uint64_t steps = 0;
  for (const Program& program : world.programs) steps += program.steps.size();
  const std::uint64_t most = settled_tiles(steps, model, workload, options);
  // Tiles left out of every segment are only as many as the shortest has.
  const auto& arrangement = first.plan.arrangement;
  const bool uneven = arrangement && !arrangement->weights().empty();
  if (options.most_tiles == 0 || options.record || uneven || whole.tiles <= most) {
    result.simulated_steps = steps * whole.tiles;
    Result<Elapsed> elapsed = run_clockwork(world, model, flows, whole, options.record);
    if (!elapsed) return elapsed.error();
    result.seconds = model.start_s + static_cast<double>(elapsed.value().picoseconds) * 1e-12;
    result.steps = std::move(elapsed.value().steps);
    return result;
  }
  result.simulated_tiles = most;
  result.simulated_steps = steps * (most + most / 3);
  const auto time_of = [&](std::uint64_t tiles) {
    const Tiling part = make_tiling(first, workload, folded, whole.tiles - tiles);
    return run_clockwork(world, model, flows, part, false);
  };
  const Result<Elapsed> third = time_of(most / 3);
  if (!third) return third.error();
  const Result<Elapsed> full = time_of(most);
  if (!full) return full.error();
  const auto last = static_cast<double>(full.value().picoseconds);
  const double growth = last - static_cast<double>(third.value().picoseconds);
  const std::uint64_t grown_by = most - most / 3;
  const double more = static_cast<double>(whole.tiles - most) / static_cast<double>(grown_by);
  result.seconds = model.start_s + (last + growth * more) * 1e-12;
  return result;
}

}  // namespace

Result<Cast> make_cast(const Plan& plan, const CostModel& model, const SimulateOptions& options) {
  if (Result<> checked = check_plan(plan); !checked) return checked.error();
  if (Result<> checked = check_machine(plan, model); !checked) return checked.error();
  const std::uint64_t steps = theory(plan).steps;
  const auto ranks = static_cast<std::uint64_t>(plan.ranks);
  const auto period = static_cast<std::uint64_t>(std::max(model.period, 0));
  const bool weighted = plan.arrangement && !plan.arrangement->weights().empty();
  const std::uint64_t period_steps = steps / ranks * period;
  const bool foldable = !weighted && options.folding != Folding::never && !options.record &&
                        period_steps <= most_steps;
  if (foldable) {
    if (auto programs = fold(plan, model.period)) return Cast{*std::move(programs), plan.ranks};
  }
  if (options.folding == Folding::always) {
    return Error(
        ErrorCode::unsupported,
        concat("the ", name(plan.algorithm), " ", name(plan.collective), " of ", plan.ranks,
               " ranks is not the same every ", model.period, " ranks on this machine"));
  }
  if (steps > most_steps) return too_many_steps(plan, steps, model.period, period_steps);
  Result<Schedule> schedule = make_schedule(plan);
  if (!schedule) return schedule.error();
  return Cast{std::move(schedule.value().programs), plan.ranks};
}

Result<Simulation> simulate_over(const Cast& cast, const CostModel& model, Flows* flows,
                                 const Workload& workload, const SimulateOptions& options) {
  if (Result<> checked = check_load(workload); !checked) return checked.error();
  return run({cast.programs, cast.ranks}, model, flows, workload, options);
}

Result<Simulation> simulate_over(const Schedule& schedule, const CostModel& model, Flows* flows,
                                 const Workload& workload, const SimulateOptions& options) {
  if (Result<> checked = check_machine(schedule.plan, model); !checked) return checked.error();
  if (Result<> checked = check_load(workload); !checked) return checked.error();
  if (options.folding == Folding::always) {
    return Error(ErrorCode::unsupported, "a schedule is folded only when it is made from its plan");
  }
  return run({schedule.programs, schedule.plan.ranks}, model, flows, workload, options);
}

Result<Simulation> simulate_over(const Plan& plan, const CostModel& model, Flows* flows,
                                 const Workload& workload, const SimulateOptions& options) {
  if (Result<> checked = check_load(workload); !checked) return checked.error();
  const Result<Cast> cast = make_cast(plan, model, options);
  if (!cast) return cast.error();
  return simulate_over(cast.value(), model, flows, workload, options);
}

Result<Simulation> simulate(const Schedule& schedule, const CostModel& model,
                            const Workload& workload, const SimulateOptions& options) {
  return simulate_over(schedule, model, nullptr, workload, options);
}

Result<Simulation> simulate(const Plan& plan, const CostModel& model, const Workload& workload,
                            const SimulateOptions& options) {
  return simulate_over(plan, model, nullptr, workload, options);
}

}  // namespace rondo
