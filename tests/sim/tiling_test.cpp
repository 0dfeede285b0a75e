// Messages of several segments, whole and in tiles: real data of awkward sizes, and how many
// transfers that takes.

#include <gtest/gtest.h>

#include <deque>
#include <limits>

#include "schedule/runs.hpp"
#include "sim/simulation.hpp"

namespace rondo::sim {
namespace {

using A = Algorithm;
using C = Collective;

constexpr std::size_t whole = std::numeric_limits<std::size_t>::max();

// All that move runs of segments, or copies of them.
std::vector<Plan> plans_with_runs(int ranks) {
  const int root = ranks / 2;
  return {{A::circulant, C::allreduce, ranks},
          {A::circulant, C::reduce_scatter, ranks},
          {A::circulant, C::allgather, ranks},
          {A::halving_doubling, C::allreduce, ranks},
          {A::scatter_allgather, C::broadcast, ranks, root},
          {A::knomial, C::gather, ranks, root},
          {A::knomial, C::scatter, ranks, root},
          {A::bruck, C::alltoall, ranks}};
}

std::optional<std::string> carry_out(const Task& task) {
  Scenario scenario;
  scenario.jobs = {{task, make_schedule(task.plan).value().programs}};
  scenario.seed = task.count + task.tile_bytes;
  scenario.mean_delay = 10;
  scenario.slow_percent = 20;
  scenario.largest_piece_bytes = whole;
  scenario.absorb_percent = 30;
  scenario.lends = task.in_place;
  return simulate(scenario);
}

TEST(Runs, AreRightWholeAndInTilesOfAnySize) {
  for (int ranks = 2; ranks <= 9; ++ranks) {
    const auto p = static_cast<std::size_t>(ranks);
    for (const Plan& plan : plans_with_runs(ranks)) {
      for (const std::size_t count : {std::size_t{0}, std::size_t{1}, p - 1, p + 1, 3 * p + 2}) {
        for (const std::size_t tile_bytes : {0, 1, 4, 8, 20, 1000}) {
          for (const bool in_place : {false, true}) {
            const Task task{plan, count, DType::i32, Op::sum, tile_bytes, in_place};
            const auto failure = carry_out(task);
            ASSERT_FALSE(failure) << describe(task) << ": " << *failure;
          }
        }
      }
    }
  }
}

TEST(Runs, AreRightInManyTilesOfLongSegments) {
  for (const Plan& plan : plans_with_runs(5)) {
    const std::size_t count = has_blocks(plan.collective) ? 200'003 : 1'000'003;
    for (const std::size_t tile_bytes : {0, 4093, 65536}) {
      for (const bool in_place : {false, true}) {
        const Task task{plan, count, DType::u8, Op::sum, tile_bytes, in_place};
        const auto failure = carry_out(task);
        ASSERT_FALSE(failure) << describe(task) << ": " << *failure;
      }
    }
  }
}

// Transfers that each rank takes part in.
std::vector<std::uint64_t> transfers_of(const Task& task, const std::vector<Program>& programs) {
  Network network(task.plan.ranks, false, Fault::none);
  std::deque<Executor> executors(programs.size());
  std::deque<Buffers> buffers;
  std::deque<SizedProgram> sized;
  const Amount amount{task.count, task.dtype, task.op, task.tile_bytes};
  for (std::size_t i = 0; i < programs.size(); ++i) {
    const int rank = programs[i].rank;
    Buffers& memory = buffers.emplace_back(task, rank);
    EXPECT_TRUE(network.transport(rank).begin(1, Call{}, {}).ok());
    executors[i].start(sized.emplace_back(programs[i], amount), memory.in(), memory.out(),
                       network.transport(rank));
  }
  for (bool finished = false; !finished;) {
    finished = true;
    for (Executor& executor : executors) finished = executor.advance() && finished;
    const std::vector<Route> movable = network.movable();
    if (!finished && movable.empty()) {
      ADD_FAILURE() << "nothing moves";
      break;
    }
    for (const Route& route : movable) network.move(route, whole);
  }
  std::vector<std::uint64_t> transfers;
  for (const Executor& executor : executors) transfers.push_back(executor.progress());
  return transfers;
}

TEST(Runs, TravelInOneTransferOnEachSideOfTheEndAndTiledInOneForEachTileOfASegment) {
  for (const Plan& plan : plans_with_runs(6)) {
    const std::vector<Program> programs = make_schedule(plan).value().programs;
    const bool blocks = has_blocks(plan.collective);
    const std::size_t segments = blocks ? 1 : programs.front().shape.segments;
    constexpr std::size_t tiles = 5;
    const Task untiled{plan, 15 * segments, DType::i32, Op::sum, 0, false};
    const Task tiled{plan, 15 * segments, DType::i32, Op::sum, 12, false};  // 3 elements a tile
    const auto one = transfers_of(untiled, programs);
    const auto many = transfers_of(tiled, programs);
    for (std::size_t i = 0; i < programs.size(); ++i) {
      std::uint64_t messages = 0;
      std::uint64_t runs = 0;
      for (const Step& step : programs[i].steps) {
        if (!step.is_message()) continue;
        messages += before_end(programs[i], step) < step.count ? 2 : 1;
        runs += step.count;
      }
      EXPECT_EQ(one[i], messages) << describe(untiled) << ", rank " << i;
      EXPECT_EQ(many[i], tiles * runs) << describe(tiled) << ", rank " << i;
    }
  }
}

}  // namespace
}  // namespace rondo::sim
