// Canaries: the simulation finds planted bugs, in the network and in programs. And worlds so small
// that all orders of delivery can be tried.

#include "sim/simulation.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "check/arranged.hpp"

namespace rondo::sim {
namespace {

// How many of the seeds find the fault.
int finds(Fault fault, std::uint64_t seeds) {
  int found = 0;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    if (simulate(draw_scenario(seed), fault)) ++found;
  }
  return found;
}

TEST(Canary, ChunksOutOfTimeAreFound) {
  EXPECT_GT(finds(Fault::gives_early, 400), 20);
  EXPECT_GT(finds(Fault::takes_early, 400), 20);
}

TEST(Canary, FaultsOfTheNetworkAreFound) {
  EXPECT_GT(finds(Fault::corrupts_a_byte, 200), 50);
  EXPECT_GT(finds(Fault::loses_one, 200), 100);
  EXPECT_GT(finds(Fault::completes_early, 200), 20);
  EXPECT_GT(finds(Fault::swaps_messages, 400), 5);
  EXPECT_EQ(finds(Fault::none, 200), 0);
}

Job make_job(const Plan& plan, std::size_t count, std::size_t tile_bytes = 0) {
  Task task{plan,       plan.collective == Collective::barrier ? 0 : count,
            DType::i32, Op::sum,
            tile_bytes, false};
  Result<Schedule> schedule = make_schedule(plan);
  if (!schedule) throw schedule.error();
  return {task, std::move(schedule).value().programs};
}

// Whether any of many moods of the network shows that the programs are wrong.
bool is_found(const Job& job) {
  for (std::uint64_t seed = 1; seed <= 400; ++seed) {
    Scenario scenario = draw_scenario(seed);
    scenario.jobs = {job};
    scenario.jobs.front().task.in_place = seed % 2 == 0;
    scenario.stalled_rank %= job.task.plan.ranks;
    scenario.dying_rank = -1;
    try {
      if (simulate(scenario)) return true;
    } catch (const std::logic_error&) {
      return true;  // an invariant of the executor
    }
  }
  return false;
}

const std::vector<Plan> mutated_plans = {
    {Algorithm::ring, Collective::allreduce, 4},
    {Algorithm::ring, Collective::reduce_scatter, 4},
    {Algorithm::ring, Collective::allgather, 4},
    {Algorithm::double_tree, Collective::allreduce, 5},
    {Algorithm::knomial, Collective::allreduce, 5},
    {Algorithm::two_shot, Collective::allreduce, 3},
    {Algorithm::one_shot, Collective::reduce_scatter, 4},
    {Algorithm::double_tree, Collective::broadcast, 6},
    {Algorithm::knomial, Collective::reduce, 7},
    {Algorithm::circulant, Collective::allreduce, 5},
    {Algorithm::circulant, Collective::reduce_scatter, 6},
    {Algorithm::recursive_doubling, Collective::allreduce, 6},
    {Algorithm::recursive_doubling, Collective::exscan, 5},
    {Algorithm::halving_doubling, Collective::allreduce, 6},
    {Algorithm::chain, Collective::exscan, 3},
    {Algorithm::scatter_allgather, Collective::broadcast, 5},
    {Algorithm::knomial, Collective::gather, 5, 3},
    {Algorithm::knomial, Collective::scatter, 5, 3},
    {Algorithm::pairwise, Collective::alltoall, 4},
    {Algorithm::bruck, Collective::alltoall, 5},
    {Algorithm::ring, Collective::allreduce, 4, 0, 2, 1,
     Arrangement::make({2, 0, 3, 1}, {}, {3, 1, 2, 4}).value()},
    arranged_plans(Algorithm::ring, Collective::reduce_scatter, 4, 0).back(),
    arranged_plans(Algorithm::two_level, Collective::allreduce, 5, 0).back(),
    arranged_plans(Algorithm::two_level, Collective::allreduce, 6, 0).back(),
    arranged_plans(Algorithm::chain_tree, Collective::allreduce, 5, 0).back(),
    arranged_plans(Algorithm::chain_tree, Collective::reduce, 6, 4).back(),
};

// Every wait is there for a reason that some order of events shows.
TEST(Canary, MissingWaitsAreFound) {
  for (const Plan& plan : mutated_plans) {
    const Job job = make_job(plan, 20, 8);
    ASSERT_FALSE(is_found(job));
    for (std::size_t step = 0; step < job.programs[1].steps.size(); ++step) {
      for (int wait = 0; wait < 2; ++wait) {
        Job mutant = job;
        Wait& target = mutant.programs[1].steps[step].waits[static_cast<std::size_t>(wait)];
        if (target.count == 0) continue;
        // The executor does copies as soon as it may: nobody ever has to wait for one.
        const Step& awaited = job.programs[1].lane(target.lane)[target.count - 1];
        if (awaited.op == StepOp::copy) continue;
        target = {};
        EXPECT_TRUE(is_found(mutant)) << name(plan.algorithm) << " " << name(plan.collective)
                                      << ", step " << step << ", wait " << wait;
      }
    }
  }
}

TEST(Canary, WrongStepsAreFound) {
  int mutants = 0;
  for (const Plan& plan : mutated_plans) {
    const Job job = make_job(plan, 20);
    for (std::size_t step = 0; step < job.programs[1].steps.size(); ++step) {
      Job mutant = job;
      Step& target = mutant.programs[1].steps[step];
      if (target.op == StepOp::recv) {
        // Adds to what lay there; in scratch that may be zeros by chance, and nobody would notice.
        if (!target.accumulates() && target.destination_buffer == Buffer::scratch) continue;
        target.flags ^= Step::accumulate_flag;
        target.source_buffer = target.destination_buffer;
        target.source_segment = target.destination_segment;
      } else {
        const Buffer buffer = target.source_buffer;
        const std::uint32_t segments = mutant.programs[1].segments_of(buffer);
        if (segments < 2 || target.count > 1) continue;
        target.source_segment = (target.source_segment + 1) % segments;
      }
      ++mutants;
      EXPECT_TRUE(is_found(mutant))
          << name(plan.algorithm) << " " << name(plan.collective) << ", step " << step;
    }
  }
  EXPECT_GT(mutants, 30);
}

// All algorithms and collectives that exist, for tiny worlds, in all orders of delivery.
TEST(Exploration, AllOrdersOfDeliveryGiveTheResult) {
  constexpr std::uint64_t most_orders = 20000;
  std::uint64_t complete = 0;
  std::uint64_t all = 0;
  for (int algorithm = 1; algorithm < algorithm_count; ++algorithm) {
    for (int collective = 0; collective < collective_count; ++collective) {
      for (const int ranks : {2, 3}) {
        const Plan plain{static_cast<Algorithm>(algorithm), static_cast<Collective>(collective),
                         ranks};
        if (!is_supported(plain.algorithm, plain.collective)) continue;
        std::vector<Plan> plans = arranged_plans(plain.algorithm, plain.collective, ranks, 0);
        plans.push_back(plain);
        for (const Plan& plan : plans) {
          for (const bool lends : {false, true}) {
            for (const bool absorbs : {false, true}) {
              const Exploration found = explore(make_job(plan, 4), lends, absorbs, most_orders);
              EXPECT_FALSE(found.failure)
                  << name(plan.algorithm) << " " << name(plan.collective) << " on " << ranks
                  << " ranks, order " << found.orders << ": " << found.failure.value_or("");
              ++all;
              if (found.complete) ++complete;
            }
          }
        }
      }
    }
  }
  EXPECT_GT(complete, all / 2) << "of " << all;
  RecordProperty("complete", std::to_string(complete) + " of " + std::to_string(all));
}

// Or the exploration would prove nothing.
TEST(Exploration, FindsAnOrderThatIsWrong) {
  Job job = make_job({Algorithm::ring, Collective::allreduce, 3}, 4);
  for (Step& step : job.programs[0].steps) step.waits = {};
  EXPECT_TRUE(explore(job, true, true, 100000).failure.has_value());
}

}  // namespace
}  // namespace rondo::sim
