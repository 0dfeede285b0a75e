// What is chosen on worlds whose best schedules are known.

#include "plan/planner.hpp"

#include <gtest/gtest.h>

#include <numeric>
#include <set>

#include "plan/arrange.hpp"
#include "plan/default_costs.hpp"
#include "plan/explain.hpp"

namespace rondo {
namespace {

constexpr std::uint64_t mib = 1 << 20;

Topology one_host(int ranks) {
  Topology topology;
  topology.machines.resize(1);
  topology.hosts.resize(1);
  topology.ranks.resize(static_cast<std::size_t>(ranks));
  return topology;
}

// Ranks are dealt out to the hosts in turns, so that rank order is the worst.
Topology hosts_in_turns(int hosts, int ranks_per_host) {
  Topology topology;
  topology.machines.resize(1);
  for (int i = 0; i < hosts; ++i) {
    topology.hosts.emplace_back();
    topology.hosts.back().id = std::to_string(i);
  }
  for (int i = 0; i < hosts * ranks_per_host; ++i) {
    topology.ranks.emplace_back();
    topology.ranks.back().host = i % hosts;
  }
  return canonical(topology);
}

Planner planner_of(const Topology& topology, Wishes wishes = {},
                   const CostTable& costs = default_costs("tcp")) {
  Result<Planner> planner = Planner::make(topology, costs, std::move(wishes));
  EXPECT_TRUE(planner.ok()) << (planner ? "" : planner.error().text());
  return std::move(planner).value();
}

const Choice& choice_of(Planner& planner, Collective collective, std::uint64_t bytes) {
  const Result<const Choice*> choice = planner.choose(collective, bytes);
  EXPECT_TRUE(choice.ok()) << (choice ? "" : choice.error().text());
  return *choice.value();
}

bool has_any(Collective collective) {
  for (int i = 1; i < algorithm_count; ++i) {
    if (is_supported(static_cast<Algorithm>(i), collective)) return true;
  }
  return false;
}

TEST(SizeClass, CoversAllSizesInOrder) {
  for (int i = 0; i + 1 < SizeClass::count; ++i) {
    EXPECT_LT(SizeClass::first_of(i), SizeClass::first_of(i + 1));
    EXPECT_EQ(SizeClass::of(SizeClass::first_of(i)), i);
    EXPECT_EQ(SizeClass::of(SizeClass::first_of(i + 1) - 1), i);
  }
  EXPECT_LT(SizeClass::of(UINT64_MAX), SizeClass::count);
}

TEST(Planner, EveryChoiceIsAValidScheduleAndTheSameOnAllRanks) {
  for (int ranks = 1; ranks <= 6; ++ranks) {
    Planner mine = planner_of(one_host(ranks));
    Planner theirs = planner_of(one_host(ranks));
    for (int c = 0; c < collective_count; ++c) {
      const auto collective = static_cast<Collective>(c);
      if (!has_any(collective)) continue;
      for (const std::uint64_t bytes : {0ull, 4ull, 5000ull, 1ull << 20}) {
        const Choice& choice = choice_of(mine, collective, bytes);
        EXPECT_EQ(choice.plan.ranks, ranks);
        EXPECT_EQ(choice.plan.collective, collective);
        EXPECT_EQ(choice.hash, choice_of(theirs, collective, bytes).hash);
        const Result<Schedule> schedule = make_schedule(choice.plan);
        ASSERT_TRUE(schedule.ok()) << schedule.error().text();
        const Result<Proof> proof = verify(schedule.value());
        EXPECT_TRUE(proof.ok()) << name(collective) << " among " << ranks << ": "
                                << proof.error().text();
      }
    }
  }
}

TEST(Planner, NoSizeIsLeftWithoutCandidates) {
  for (const int ranks : {1, 2, 4, 5, 8, 63, 64, 65, 100, 1000}) {
    Planner planner = planner_of(one_host(ranks));
    for (int i = 0; i < collective_count; ++i) {
      const auto collective = static_cast<Collective>(i);
      if (!has_any(collective)) continue;
      for (std::uint64_t bytes = 0; bytes < 1ull << 42; bytes = bytes * 4 + 1) {
        EXPECT_FALSE(candidates(planner.site(), collective, bytes).empty())
            << name(collective) << " of " << bytes << " bytes among " << ranks << " ranks";
      }
    }
  }
}

TEST(Planner, LongGathersAndScattersOfManyRanksArePlanned) {
  for (const int ranks : {5, 16, 100}) {
    Planner planner = planner_of(one_host(ranks));
    for (const Collective collective : {Collective::gather, Collective::scatter}) {
      EXPECT_TRUE(planner.choose(collective, 64 * mib).ok()) << ranks;
      EXPECT_TRUE(planner.ranges(collective, 256 * mib).ok()) << ranks;
    }
  }
}

TEST(Planner, TheOrderOfCallsDoesNotMatter) {
  Planner up = planner_of(one_host(4));
  Planner down = planner_of(one_host(4));
  for (std::uint64_t bytes = 1; bytes <= 16 * mib; bytes *= 2) {
    (void)choice_of(up, Collective::allreduce, bytes);
  }
  for (std::uint64_t bytes = 16 * mib; bytes >= 1; bytes /= 2) {
    EXPECT_EQ(choice_of(down, Collective::allreduce, bytes).hash,
              choice_of(up, Collective::allreduce, bytes).hash);
  }
}

TEST(Planner, ThePredictedTimesAreSortedBehindTheSimplestOfTheFastest) {
  Planner planner = planner_of(one_host(5));
  for (const std::uint64_t bytes : {4ull, 1ull << 16, 1ull << 24}) {
    const auto all = planner.predict(Collective::allreduce, bytes);
    ASSERT_TRUE(all.ok());
    ASSERT_GT(all.value().size(), 3u);
    const double fastest = all.value()[1].seconds();
    EXPECT_LE(all.value()[0].seconds(), 1.02 * fastest + 1e-12);
    for (std::size_t i = 2; i < all.value().size(); ++i) {
      EXPECT_LE(all.value()[i - 1].picoseconds, all.value()[i].picoseconds);
    }
  }
}

// Ranks that share two cores.
Topology crowd(int ranks) {
  Topology topology = synthetic_topology("1 hosts x 1 l3s x 2 cores").value();
  const Rank everywhere{0, {0, 1}, unknown};
  topology.ranks.assign(static_cast<std::size_t>(ranks), everywhere);
  return topology;
}

struct Regret {
  double worst = 1;
  std::string where;
};

// By how much the choice is simulated to be slower than the fastest of all candidates.
void regret(Planner& planner, Collective collective, Regret& so_far) {
  for (std::uint64_t bytes = 4; bytes <= 64 * mib; bytes *= 4) {
    const Choice& choice = choice_of(planner, collective, bytes);
    const auto all = planner.predict(collective, bytes).value();
    std::int64_t fastest = all.front().picoseconds;
    for (const Prediction& one : all) fastest = std::min(fastest, one.picoseconds);
    const double ratio = static_cast<double>(choice.picoseconds) / static_cast<double>(fastest);
    if (ratio <= so_far.worst) continue;
    so_far = {ratio, std::string(name(collective)) + " of " + std::to_string(bytes) +
                         " bytes among " + std::to_string(planner.ranks()) + ": " +
                         describe(choice.candidate()) + " for " + describe(all[0].candidate)};
  }
}

TEST(Planner, WhatIsNotWorthSimulatingIsNotTheFastest) {
  for (const std::string_view transport : {"tcp", "inproc"}) {
    for (const Collective collective :
         {Collective::allreduce, Collective::broadcast, Collective::allgather}) {
      Regret found;
      for (const int ranks : {2, 3, 4, 6, 8, 16}) {
        for (const Topology& topology : {one_host(ranks), crowd(ranks)}) {
          Planner planner = planner_of(topology, {}, default_costs(transport));
          regret(planner, collective, found);
        }
      }
      for (const auto& [hosts, each] : {std::pair(2, 4), std::pair(4, 2), std::pair(3, 3)}) {
        Planner planner = planner_of(hosts_in_turns(hosts, each), {}, default_costs(transport));
        regret(planner, collective, found);
      }
      EXPECT_LE(found.worst, 1.15) << transport << " " << found.where;
    }
  }
}

TEST(Planner, WhereProcessorsAreSharedFewSwitchesAreBetter) {
  CostTable costs = default_costs("inproc");
  costs.switch_s = 0;
  Planner free = planner_of(crowd(4), {}, costs);
  costs.switch_s = 10e-6;
  Planner dear = planner_of(crowd(4), {}, costs);
  const auto messages = [](const Choice& choice) {
    std::size_t steps = 0;
    const Result<Schedule> schedule = make_schedule(choice.plan);
    for (const Program& program : schedule.value().programs) {
      for (const Step& step : program.steps) steps += step.op == StepOp::send;
    }
    return steps;
  };
  // All that four ranks need is three messages there and three back.
  EXPECT_EQ(messages(choice_of(dear, Collective::allreduce, 4)), 6u);
  EXPECT_LT(choice_of(free, Collective::allreduce, 4).picoseconds,
            choice_of(dear, Collective::allreduce, 4).picoseconds);
  Planner alone = planner_of(one_host(4), {}, costs);
  costs.switch_s = 0;
  Planner same = planner_of(one_host(4), {}, costs);
  EXPECT_EQ(choice_of(alone, Collective::allreduce, 4).picoseconds,
            choice_of(same, Collective::allreduce, 4).picoseconds);
}

TEST(Planner, FewBytesTakeFewRoundsAndManyBytesAreSentOnce) {
  Planner planner = planner_of(one_host(8));
  const Plan few = choice_of(planner, Collective::allreduce, 4).plan;
  // All at once, or in ⌈log₂ p⌉ rounds.
  const bool at_once = few.algorithm == Algorithm::one_shot;
  const Proof short_proof = verify(make_schedule(few).value()).value();
  EXPECT_TRUE(at_once || short_proof.rounds <= 3) << describe({few, 0});
  const Plan many = choice_of(planner, Collective::allreduce, 64 * mib).plan;
  const Proof proof = verify(make_schedule(many).value()).value();
  // A rank sends no more than twice the vector; 2 (p - 1)/p would be the least.
  EXPECT_LE(static_cast<double>(proof.max_sent) / proof.segments, 2.01);
}

TEST(Planner, ASlowNetworkIsCrossedSeldom) {
  const Topology topology = hosts_in_turns(2, 4);
  Planner planner = planner_of(topology);
  const Plan plan = choice_of(planner, Collective::allreduce, 64 * mib).plan;
  std::set<std::pair<int, int>> crossings;
  const Schedule schedule = make_schedule(plan).value();
  for (const Program& program : schedule.programs) {
    for (const Step& step : program.steps) {
      if (step.op != StepOp::send) continue;
      if (topology.ranks[static_cast<std::size_t>(program.rank)].host ==
          topology.ranks[static_cast<std::size_t>(step.peer)].host) {
        continue;
      }
      crossings.insert({program.rank, step.peer});
    }
  }
  const bool grouped =
      plan.algorithm == Algorithm::two_level || plan.algorithm == Algorithm::chain_tree;
  EXPECT_TRUE(grouped || order_of(plan) != Order::ranks) << describe({plan, 0});
}

TEST(Planner, ManyRanksAreEstimated) {
  Planner planner = planner_of(one_host(256));
  EXPECT_FALSE(is_simulated(256));
  const Plan few = choice_of(planner, Collective::allreduce, 4).plan;
  EXPECT_NE(few.algorithm, Algorithm::ring);
  const auto big = planner.predict(Collective::allreduce, 256 * mib);
  ASSERT_TRUE(big.ok());
  EXPECT_GT(big.value().front().picoseconds,
            choice_of(planner, Collective::allreduce, 4).picoseconds);
}

TEST(Planner, NothingIsKnownOfTheMachine) {
  EXPECT_FALSE(Planner::make(Topology{}, default_costs("tcp")).ok());
  EXPECT_FALSE(Planner::make(one_host(2), CostTable{}).ok());
  Planner planner = planner_of(one_host(2), {}, default_costs("inproc"));
  EXPECT_GT(choice_of(planner, Collective::allreduce, 4).picoseconds, 0);
}

TEST(Wishes, HoldWhereTheyCanBeGranted) {
  Wishes wishes;
  wishes.algorithm = Algorithm::ring;
  Planner planner = planner_of(one_host(4), wishes);
  EXPECT_EQ(choice_of(planner, Collective::allreduce, 4).plan.algorithm, Algorithm::ring);
  EXPECT_EQ(choice_of(planner, Collective::allreduce, 4).cause, Cause::wish);
  const Choice& broadcast = choice_of(planner, Collective::broadcast, 4);
  EXPECT_NE(broadcast.plan.algorithm, Algorithm::ring);
  EXPECT_EQ(broadcast.passed_over, "the wish for ring");
  EXPECT_TRUE(planner.take_notes().empty()) << "a wish for all is for those that have it";
}

TEST(Wishes, ThatNeedSeveralHostsAreRefusedAloudOnOne) {
  Wishes wishes;
  wishes.algorithm = Algorithm::two_level;
  Planner planner = planner_of(one_host(4), wishes);
  const Choice& choice = choice_of(planner, Collective::allreduce, mib);
  EXPECT_NE(choice.plan.algorithm, Algorithm::two_level);
  EXPECT_EQ(
      planner.take_notes(),
      std::vector<std::string>{"the wish for two_level cannot be granted since all 4 ranks are "
                               "on one host; the planner chooses"});
}

TEST(Candidates, OfLongVectorsTravelInTiles) {
  const Site site{.ranks = 8};
  for (const std::uint64_t bytes : {40 * mib, 160 * mib, 1024 * mib}) {
    const auto all = candidates(site, Collective::scan, bytes, {});
    EXPECT_TRUE(std::any_of(all.begin(), all.end(), [](const Candidate& one) {
      return one.plan.algorithm == Algorithm::chain && one.tile_bytes == mib;
    })) << bytes;
  }
}

TEST(Candidates, AmongManyRanksKeepFewRoundsForLongerVectors) {
  const Site site{.ranks = 16384};
  const auto all = candidates(site, Collective::alltoall, mib, {});
  EXPECT_TRUE(std::any_of(all.begin(), all.end(), [](const Candidate& one) {
    return one.plan.algorithm == Algorithm::bruck;
  }));
}

TEST(Wishes, OfASingleCollectiveGoesFirstAndIsMissedAloud) {
  Wishes wishes;
  wishes.algorithm = Algorithm::ring;
  wishes.algorithms[static_cast<std::size_t>(Collective::allreduce)] = Algorithm::knomial;
  wishes.algorithms[static_cast<std::size_t>(Collective::broadcast)] = Algorithm::two_shot;
  wishes.radix = 3;
  wishes.tile_bytes = 12345;
  Planner planner = planner_of(one_host(4), wishes);
  const Choice& choice = choice_of(planner, Collective::allreduce, mib);
  EXPECT_EQ(choice.plan.algorithm, Algorithm::knomial);
  EXPECT_EQ(choice.plan.radix, 3);
  EXPECT_EQ(choice.tile_bytes, 12345u);
  (void)choice_of(planner, Collective::broadcast, 4);
  (void)choice_of(planner, Collective::broadcast, mib);
  const std::vector<std::string> notes = planner.take_notes();
  ASSERT_EQ(notes.size(), 1u);
  EXPECT_NE(notes[0].find("two_shot in broadcast"), std::string::npos) << notes[0];
}

// Four hosts at 1 Gbit/s, the last one at `share` of it.
CostTable costs_with_slow_port(const Topology& topology, double share) {
  CostTable costs = default_costs("tcp");
  for (const PathClass path : {PathClass::rack, PathClass::network}) {
    LinkCost& link = *costs.links[static_cast<std::size_t>(path)];
    link.byte_s = 0;  // the ports are the wire
  }
  for (const Host& host : topology.hosts) costs.ports.push_back({host.id, 8e-9});
  costs.ports.back().byte_s /= share;
  return costs;
}

TEST(Planner, WeighsTheSegmentsOfARingByThePortsOfHosts) {
  const Topology topology = synthetic_topology("4 hosts x 1 cores").value();
  Planner equal = planner_of(topology, {}, costs_with_slow_port(topology, 1));
  Planner uneven = planner_of(topology, {}, costs_with_slow_port(topology, 0.5));
  const Choice& same = choice_of(equal, Collective::allreduce, 16 * mib);
  EXPECT_NE(order_of(same.plan), Order::weighted);
  const Choice& choice = choice_of(uneven, Collective::allreduce, 16 * mib);
  EXPECT_EQ(choice.plan.algorithm, Algorithm::ring);
  ASSERT_EQ(order_of(choice.plan), Order::weighted);
  const auto weights = choice.plan.arrangement->weights();
  EXPECT_EQ(weights[3], std::accumulate(weights.begin(), weights.end(), 0u)) << "all turns there";
  // 4/3 of the time of equal hosts is the bound; filling the pipeline takes the rest.
  EXPECT_LT(static_cast<double>(choice.picoseconds) / static_cast<double>(same.picoseconds), 1.37);
}

TEST(Planner, AvoidsStreamsThatMeetAtOnePort) {
  // Everybody to everybody is predicted to be as good as a ring, where the wire is all that counts.
  const Topology topology = synthetic_topology("4 hosts x 1 cores").value();
  CostTable costs = costs_with_slow_port(topology, 1);
  for (auto& link : costs.links) link->overhead_s = link->overhead_byte_s = 0;
  Planner planner = planner_of(topology, {}, costs);
  const auto all = planner.predict(Collective::allreduce, 16 * mib).value();
  const auto first = [&](Algorithm algorithm) {
    return *std::find_if(all.begin(), all.end(), [&](const Prediction& one) {
      return one.candidate.plan.algorithm == algorithm;
    });
  };
  EXPECT_LE(first(Algorithm::two_shot).picoseconds, first(Algorithm::ring).picoseconds);
  EXPECT_EQ(all.front().candidate, first(Algorithm::ring).candidate);
  const Choice& choice = choice_of(planner, Collective::allreduce, 16 * mib);
  EXPECT_EQ(choice.plan.algorithm, Algorithm::ring);
  EXPECT_EQ(choice.cause,
            choice.picoseconds == choice.fastest.picoseconds ? Cause::fastest : Cause::few_streams);
}

TEST(Planner, AWeightedRingComesNearToTheTimeOfItsLinks) {
  const Topology topology = synthetic_topology("4 hosts x 1 cores").value();
  for (const double share : {0.9, 0.75, 0.6, 0.5, 0.4, 0.25}) {
    Planner planner = planner_of(topology, {}, costs_with_slow_port(topology, share));
    const Pins pins{.algorithm = Algorithm::ring, .order = Order::weighted};
    const auto predictions = planner.predict(Collective::allreduce, 16 * mib, pins);
    ASSERT_TRUE(predictions.ok() && !predictions.value().empty()) << share;
    const Prediction& best = predictions.value().front();
    const std::vector<double> rates = {1, 1, share, share};
    const double bound = ring_time(rates, best.candidate.plan.arrangement->weights()) * 16 *
                         static_cast<double>(mib) * 8e-9;
    EXPECT_LT(static_cast<double>(best.picoseconds) * 1e-12 / bound, 1.05) << share;
  }
}

TEST(Rules, GoBeforeThePlannerAndBehindWishes) {
  Wishes wishes;
  wishes.rules = parse_rules(
                     "allreduce ..1KiB knomial radix 4\n"
                     "allreduce 1KiB.. ring tile 64KiB ranks 4\n"
                     "broadcast .. chain order weighted ranks 4\n")
                     .value();
  Planner planner = planner_of(one_host(4), wishes);
  EXPECT_EQ(choice_of(planner, Collective::allreduce, 1023).plan.radix, 4);
  const Choice& ring = choice_of(planner, Collective::allreduce, 1024);
  EXPECT_EQ(ring.plan.algorithm, Algorithm::ring);
  EXPECT_EQ(ring.tile_bytes, std::size_t{64} << 10);
  EXPECT_EQ(ring.cause, Cause::rule);
  EXPECT_EQ(ring.rule_line, 2);
  Planner other = planner_of(one_host(3), wishes);
  EXPECT_EQ(choice_of(other, Collective::allreduce, 4096).cause, Cause::fastest);
  wishes.algorithm = Algorithm::two_shot;
  Planner wished = planner_of(one_host(4), wishes);
  EXPECT_EQ(choice_of(wished, Collective::allreduce, 4096).plan.algorithm, Algorithm::two_shot);
}

// The cause is what really decided, and both forms of the explanation say so.
TEST(Explain, SaysWhichRuleDecided) {
  std::set<Cause> causes;
  for (const Topology& topology :
       {one_host(5), hosts_in_turns(2, 4), synthetic_topology("4 hosts x 1 cores").value()}) {
    Planner planner = planner_of(topology, {}, costs_with_slow_port(topology, 1));
    for (const Collective collective : {Collective::allreduce, Collective::broadcast}) {
      for (std::uint64_t bytes = 4; bytes <= 64 * mib; bytes *= 2) {
        const Choice& choice = choice_of(planner, collective, bytes);
        const bool is_new = causes.insert(choice.cause).second;
        const bool fastest = choice.picoseconds == choice.fastest.picoseconds;
        EXPECT_EQ(choice.cause == Cause::fastest, fastest);
        EXPECT_LE(choice.fastest.picoseconds, choice.picoseconds);
        const double excess = static_cast<double>(choice.picoseconds) /
                              static_cast<double>(choice.fastest.picoseconds);
        EXPECT_LE(excess, choice.cause == Cause::simplest ? 1.02 : 1.05 * 1.02);
        if (!is_new) continue;
        const Question question{collective, bytes, "about"};
        const std::string text = explain(planner, question).value();
        const std::string json = explain_json(planner, question).value();
        const auto says = [&](const char* words, const char* word) {
          EXPECT_NE(text.find(words), std::string::npos) << words << "\n" << text;
          EXPECT_NE(json.find(std::string("\"because\":\"") + word + "\",\"passed_over"),
                    std::string::npos)
              << json;
        };
        if (choice.cause == Cause::fastest) says("it is predicted to be the fastest", "fastest");
        if (choice.cause == Cause::simplest) says(", and simpler", "simplest");
        if (choice.cause == Cause::few_streams) says("from fewer ranks of other", "few_streams");
      }
    }
  }
  EXPECT_EQ(causes, (std::set{Cause::fastest, Cause::simplest, Cause::few_streams}));
}

TEST(Planner, PlansWhatTakesForEver) {
  CostTable costs = default_costs("tcp");
  for (auto& link : costs.links) {
    if (link) link->byte_s = 1e-3;
  }
  Planner planner = planner_of(one_host(4), {}, costs);
  for (std::uint64_t bytes = 1; bytes < std::uint64_t{1} << 62; bytes *= 8) {
    EXPECT_GT(choice_of(planner, Collective::allreduce, bytes).picoseconds, 0) << bytes;
  }
}

TEST(Explain, SaysWhatAndWhy) {
  Planner planner = planner_of(one_host(4));
  const Result<std::string> text =
      explain(planner, {Collective::allreduce, 4, "allreduce of 4 B among 4 ranks"});
  ASSERT_TRUE(text.ok());
  for (const char* part : {"because: of ", "candidate", "mostly", "latency", "sizes", "round"}) {
    EXPECT_NE(text.value().find(part), std::string::npos) << part << "\n" << text.value();
  }
  const Result<std::string> json = explain_json(planner, {Collective::allreduce, 4, {}});
  ASSERT_TRUE(json.ok());
  EXPECT_NE(json.value().find("\"because\":\"fastest\""), std::string::npos) << json.value();
}

// Of six rounds and of one.
TEST(Explain, SaysHowManyTimesAsLongTheNextTakes) {
  CostTable far;
  far.links[static_cast<std::size_t>(PathClass::host)] = LinkCost{.latency_s = 1};
  Planner planner = planner_of(one_host(64), {}, far);
  const Result<std::string> text = explain(planner, {Collective::alltoall, 256, "alltoall"});
  ASSERT_TRUE(text.ok());
  EXPECT_NE(text.value().find("the next takes 6.0 times as long\n"), std::string::npos)
      << text.value();
}

}  // namespace
}  // namespace rondo
