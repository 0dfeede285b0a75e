// The test of the checker: each mutant of each small schedule is found wrong, or listed here; and
// what survives gives right results in the simulated network.

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>

#include "base/invariant.hpp"
#include "base/text.hpp"
#include "check/verify.hpp"
#include "every_plan.hpp"
#include "mutants.hpp"
#include "schedule/text.hpp"
#include "sim/simulation.hpp"

namespace rondo::testing {
namespace {

struct Equivalent {
  const char* reason;
  std::function<bool(const Mutant&)> covers;
  bool always = true;  // whether all that are covered survive: not where rounds or waits decide
};

const Step& changed_step(const Mutant& mutant) {
  return mutant.schedule.programs[mutant.rank].steps[mutant.step];
}

const Step& original_step(const Mutant& mutant) {
  return mutant.original.programs[mutant.rank].steps[mutant.step];
}

// Whether the program copies its `in` to these segments of `out`.
bool is_copy_of_in(const Program& program, Slice out) {
  for (const Step& step : program.steps) {
    const Slice copied = step.destination();
    if (step.op == StepOp::copy && step.source_buffer == Buffer::in &&
        copied.buffer == Buffer::out && copied.segment <= out.segment &&
        out.segment + out.count <= copied.segment + copied.count) {
      return true;
    }
  }
  return false;
}

bool contains(Slice slice, Slice segment) {
  return slice.buffer == segment.buffer && slice.segment <= segment.segment &&
         segment.segment < slice.segment + slice.count;
}

// What one rank does to its memory, in an order in which it can happen. The original is free of
// hazards, so that any such order tells the same.
class Past {
 public:
  explicit Past(const Mutant& mutant)
      : program_(mutant.original.programs[static_cast<std::size_t>(mutant.rank)]) {
    const Trace trace = trace_of(mutant.original).value();
    for (const Event& event : trace.events) {
      const Step& step = mutant.original.programs[event.rank].steps[event.step];
      if (static_cast<int>(event.rank) == mutant.rank) order_.push_back(event.step);
      if (step.op == StepOp::send && step.peer == mutant.rank) order_.push_back(event.recv_step);
    }
  }

  // The segment of `in` that this one is a copy of when the step begins, or itself.
  Slice origin(std::size_t step, Slice segment) const {
    for (std::size_t i = place(step); i > 0; --i) {
      const Step& earlier = program_.steps[order_[i - 1]];
      if (!earlier.has_destination() || !contains(earlier.destination(), segment)) continue;
      if (earlier.op != StepOp::copy) return segment;
      const std::uint32_t offset = segment.segment - earlier.destination_segment;
      return origin(order_[i - 1], {earlier.source_buffer, earlier.source_segment + offset, 1});
    }
    return segment;
  }

  // Whether both hold the same when the step begins, since one is a copy of the other.
  bool are_equal(std::size_t step, Slice a, Slice b) const {
    return origin(step, a) == origin(step, b);
  }

  // Whether nobody would read what the step writes there, in place or not, with the exception of
  // those who read `instead`.
  bool is_unread(std::size_t step, Slice segment, Slice instead = {Buffer::in, 0, 0}) const {
    for (std::size_t i = place(step) + 1; i < order_.size(); ++i) {
      const Step& later = program_.steps[order_[i]];
      const bool renamed = later.has_source() && later.source() == instead;
      if (later.has_source() && !renamed && may_contain(later.source(), segment)) return false;
      if (later.has_destination() && may_contain(later.destination(), segment)) return true;
    }
    return segment.buffer == Buffer::scratch;
  }

 private:
  std::size_t place(std::size_t step) const {
    return static_cast<std::size_t>(std::find(order_.begin(), order_.end(), step) - order_.begin());
  }
  bool may_contain(Slice slice, Slice segment) const {
    const bool scratch = segment.buffer == Buffer::scratch;
    if (scratch != (slice.buffer == Buffer::scratch)) return false;
    const auto first = [&](const Slice& s) {
      return (scratch ? 0 : program_.first_segment_of(s.buffer)) + s.segment;
    };
    return first(slice) <= first(segment) && first(segment) < first(slice) + slice.count;
  }

  const Program& program_;
  std::vector<std::size_t> order_;
};

// Whether two neighbouring steps of a lane use different memory and links, and no other lane waits
// for the first of them only.
bool are_independent(const Mutant& mutant) {
  const Program& program = mutant.original.programs[static_cast<std::size_t>(mutant.rank)];
  const Step& first = program.steps[mutant.step];
  const Step& second = program.steps[mutant.step + 1];
  const auto place = [&](Slice slice, std::uint32_t i) {
    const bool scratch = slice.buffer == Buffer::scratch;
    return std::pair(scratch,
                     (scratch ? 0 : program.first_segment_of(slice.buffer)) + slice.segment + i);
  };
  const auto meet = [&](Slice a, Slice b) {
    for (std::uint32_t i = 0; i < a.count; ++i) {
      for (std::uint32_t j = 0; j < b.count; ++j) {
        if (place(a, i) == place(b, j)) return true;
      }
    }
    return false;
  };
  // In place it does nothing, and else nobody sees it who reads `in`.
  const auto is_copy_of_input = [&](const Step& step) {
    return step.op == StepOp::copy && step.source_buffer == Buffer::in &&
           step.destination_buffer == Buffer::out &&
           place(step.source(), 0) == place(step.destination(), 0);
  };
  const auto writes_what_is_used = [&](const Step& a, const Step& b) {
    if (is_copy_of_input(a) && !b.has_destination() && b.source_buffer == Buffer::in) return false;
    return a.has_destination() && ((b.has_source() && meet(a.destination(), b.source())) ||
                                   (b.has_destination() && meet(a.destination(), b.destination())));
  };
  if (writes_what_is_used(first, second) || writes_what_is_used(second, first)) return false;
  if (first.is_message() && first.op == second.op && first.peer == second.peer &&
      first.channel == second.channel) {
    return false;
  }
  std::uint32_t lane = 0;
  while (program.lane_end[lane] <= mutant.step) ++lane;
  const std::size_t begin = lane == 0 ? 0 : program.lane_end[lane - 1];
  return std::none_of(program.steps.begin(), program.steps.end(), [&](const Step& step) {
    return std::any_of(step.waits.begin(), step.waits.end(), [&](const Wait& wait) {
      return wait.lane == lane && wait.count == mutant.step - begin + 1;
    });
  });
}

// Whether another step of the rank sends to, or receives from, the same peer and channel.
bool shares_its_link(const Mutant& mutant) {
  const Step& moved = original_step(mutant);
  const std::vector<Step>& steps = mutant.original.programs[mutant.rank].steps;
  return moved.is_message() && std::count_if(steps.begin(), steps.end(), [&](const Step& step) {
                                 return step.op == moved.op && step.peer == moved.peer &&
                                        step.channel == moved.channel;
                               }) > 1;
}

// How many steps of the rank read, or write, what the step at hand writes.
int uses(const Mutant& mutant, bool (Step::*uses_any)() const, Slice (Step::*used)() const) {
  const Slice place = original_step(mutant).destination();
  int found = 0;
  for (const Step& step : mutant.original.programs[mutant.rank].steps) {
    found += (step.*uses_any)() && (step.*used)() == place ? 1 : 0;
  }
  return found;
}

std::vector<Equivalent> other_ways_to_say_the_same() {
  return {
      {"what a rank contributes may be sent from its copy in `out` as well as from `in`, if the "
       "copy is "
       "there by then",
       [](const Mutant& mutant) {
         if (mutant.mistake != Mistake::other_source) return false;
         const Step& before = original_step(mutant);
         const Step& after = changed_step(mutant);
         const Program& program = mutant.original.programs[mutant.rank];
         const Slice copy = (before.source_buffer == Buffer::out ? before : after).source();
         const auto place = [&](const Step& step) {
           return program.first_segment_of(step.source_buffer) + step.source_segment;
         };
         return before.op == StepOp::send && before.source_buffer != Buffer::scratch &&
                after.source_buffer != Buffer::scratch &&
                before.source_buffer != after.source_buffer && is_copy_of_in(program, copy) &&
                place(before) == place(after);
       },
       false},
      {"a step that shares its link with no other may stand in a lane of its own, if waits keep "
       "the "
       "order",
       [](const Mutant& mutant) {
         return mutant.mistake == Mistake::own_lane && !shares_its_link(mutant);
       }},
      {"blocks of an alltoall are equally long: a step may be about any of them",
       [](const Mutant& mutant) {
         const bool shifted =
             mutant.mistake == Mistake::shift_subject || mutant.mistake == Mistake::shift_step;
         const Plan& plan = mutant.original.plan;
         if (!shifted || plan.collective != Collective::alltoall) return false;
         const Step& before = original_step(mutant);
         const Step& after = changed_step(mutant);
         return before.source() == after.source() && before.destination() == after.destination() &&
                after.about + std::uint64_t{after.count} <= static_cast<std::uint64_t>(plan.ranks);
       }},
      {"steps of a lane that have nothing to do with each other may change places, if that takes "
       "no "
       "more rounds",
       [](const Mutant& mutant) {
         return mutant.mistake == Mistake::swap_steps && are_independent(mutant);
       },
       false},
  };
}

std::vector<Equivalent> other_uses_of_memory() {
  return {
      {"what has been copied from `in` may be read there, if it is still there",
       [](const Mutant& mutant) {
         if (mutant.mistake != Mistake::other_source) return false;
         const Step& before = original_step(mutant);
         const Step& after = changed_step(mutant);
         if (before.source_buffer != Buffer::scratch || after.source_buffer != Buffer::in) {
           return false;
         }
         const Past past(mutant);
         for (std::uint32_t i = 0; i < before.count; ++i) {
           const Slice read{Buffer::scratch, before.source_segment + i};
           if (past.origin(mutant.step, read) != Slice{Buffer::in, after.source_segment + i}) {
             return false;
           }
         }
         return true;
       },
       false},
      {"a copy may write a segment more, if nobody reads that before it is written again, or if it "
       "writes what is there already",
       [](const Mutant& mutant) {
         const Step& after = changed_step(mutant);
         if (mutant.mistake != Mistake::lengthen || after.op != StepOp::copy) return false;
         const Slice more{after.destination_buffer, after.destination_segment + after.count - 1};
         if (after.source_buffer == Buffer::in && after.destination_buffer == Buffer::out &&
             after.source_segment == after.destination_segment) {  // nothing happens in place
           const auto& steps = mutant.original.programs[mutant.rank].steps;
           return std::none_of(steps.begin(), steps.end(), [&](const Step& step) {
             return step.has_source() && contains(step.source(), more);
           });
         }
         const Past past(mutant);
         const Slice source{after.source_buffer, after.source_segment + after.count - 1};
         return past.is_unread(mutant.step, more) || past.are_equal(mutant.step, source, more);
       },
       false},
      {"a value may be kept in another place that is free meanwhile",
       [](const Mutant& mutant) {
         if (mutant.mistake != Mistake::other_place) return false;
         const Slice from = original_step(mutant).destination();
         const Slice to = changed_step(mutant).destination();
         if (to.buffer == Buffer::in) return false;
         const Past past(mutant);
         for (std::uint32_t i = 0; i < to.count; ++i) {
           if (!past.is_unread(mutant.step, {to.buffer, to.segment + i}, from)) return false;
           // What the old place holds then is not the result.
           if (!past.is_unread(mutant.step, {from.buffer, from.segment + i}, from)) return false;
         }
         return true;
       },
       false},
      {"a partial sum of one segment that is read once, before its place in `out` gets the final "
       "value, may be kept in scratch",
       [](const Mutant& mutant) {
         if (mutant.mistake != Mistake::other_place) return false;
         const Step& before = original_step(mutant);
         return before.accumulates() && !before.completes() && before.count == 1 &&
                before.destination_buffer == Buffer::out &&
                changed_step(mutant).destination_buffer == Buffer::scratch &&
                uses(mutant, &Step::has_source, &Step::source) == 1 &&
                uses(mutant, &Step::has_destination, &Step::destination) == 2;
       }},
  };
}

std::vector<Equivalent> other_beginnings() {
  return {
      {"a copy of the whole vector may begin at any of its segments",
       [](const Mutant& mutant) {
         const Step& after = changed_step(mutant);
         return mutant.mistake == Mistake::shift_step && after.op == StepOp::copy &&
                after.source_segment == after.destination_segment &&
                after.source_segment < after.count &&
                after.count == mutant.original.programs[mutant.rank].vector_segments();
       }},
  };
}

const std::vector<Equivalent>& equivalents() {
  static const std::vector<Equivalent> list = [] {
    std::vector<Equivalent> all = other_ways_to_say_the_same();
    for (Equivalent& equivalent : other_uses_of_memory()) all.push_back(std::move(equivalent));
    for (Equivalent& equivalent : other_beginnings()) all.push_back(std::move(equivalent));
    return all;
  }();
  return list;
}

// What goes wrong when the schedule is carried out whole and in tiles, in and out of place, in
// several moods of the network.
std::optional<std::string> carry_out(const Schedule& schedule) {
  for (std::uint64_t seed = 0; seed < 16; ++seed) {
    sim::Task task;
    task.plan = schedule.plan;
    task.count = schedule.plan.collective == Collective::barrier ? 0 : 23;
    task.dtype = DType::i32;
    const bool sums = seed % 8 < 4 || reduces_prefix(schedule.plan.collective);
    task.op = sums ? Op::sum : Op::avg;
    task.in_place = seed % 2 == 0;
    task.tile_bytes = seed % 4 < 2 ? 8 : 0;
    sim::Scenario scenario;
    scenario.jobs = {{task, schedule.programs}};
    scenario.seed = seed;
    scenario.mean_delay = seed % 3 == 0 ? 0 : 10;
    scenario.slow_percent = 20;
    scenario.largest_piece_bytes = seed % 5 == 0 ? 3 : 1000;
    scenario.absorb_percent = 30 * (seed % 3);
    scenario.lends = seed % 7 < 3;
    try {
      if (const auto failure = sim::simulate(scenario)) {
        return concat(sim::describe(scenario), *failure);
      }
    } catch (const InvariantBroken& broken) {
      return broken.what();
    }
  }
  return std::nullopt;
}

std::string describe(const Mutant& mutant) {
  std::ostringstream text;
  const Plan& plan = mutant.original.plan;
  text << name(mutant.mistake) << " in " << name(plan.algorithm) << " " << name(plan.collective)
       << " of " << plan.ranks << " ranks, root " << plan.root << ", radix " << plan.radix << ", "
       << where(mutant.original.programs[mutant.rank], mutant.step);
  return text.str();
}

// What other mistakes do to a publication is the same wherever it stands: the test for that is the
// one below.
Schedule without_publications(Schedule schedule) {
  for (Program& program : schedule.programs) {
    for (Step& step : program.steps) {
      if (step.op == StepOp::send) step.set_publication(0);
    }
  }
  return schedule;
}

// Puts two sends of a rank into a publication.
template <class Visit>
void for_each_pair_of_sends(const Schedule& schedule, Visit visit) {
  const Schedule plain = without_publications(schedule);
  for (std::size_t rank = 0; rank < plain.programs.size(); ++rank) {
    const std::vector<Step>& steps = schedule.programs[rank].steps;
    for (std::size_t a = 0; a < steps.size(); ++a) {
      for (std::size_t b = a + 1; b < steps.size(); ++b) {
        if (steps[a].op != StepOp::send || steps[b].op != StepOp::send) continue;
        Schedule paired = plain;
        paired.programs[rank].steps[a].set_publication(1);
        paired.programs[rank].steps[b].set_publication(1);
        const std::uint32_t number = steps[a].publication();
        visit(paired, number != 0 && number == steps[b].publication());
      }
    }
  }
}

// Those that the builder found are all that the checker lets pass, and they give right results.
TEST(Mutation, PublicationsAreAllThatAreRight) {
  int published = 0;
  int refused = 0;
  for (int ranks = 3; ranks <= 5; ++ranks) {
    for (const Plan& plan : every_plan(ranks, {2, 3})) {
      int carried_out = 0;
      for_each_pair_of_sends(make_schedule(plan).value(), [&](const Schedule& paired, bool found) {
        const Result<Proof> proof = verify(paired);
        EXPECT_EQ(proof.ok(), found) << to_text(paired.plan) << (proof ? "" : proof.error().text());
        ++(found ? published : refused);
        if (!found || ++carried_out > 2) return;
        const std::optional<std::string> failure = carry_out(paired);
        EXPECT_FALSE(failure) << to_text(paired) << *failure;
      });
    }
  }
  EXPECT_GT(published, 100);
  EXPECT_GT(refused, 1000);
}

TEST(Mutation, EveryMutantIsKilledOrListed) {
  std::vector<int> survivors(equivalents().size());
  std::array<int, mistake_count> killed = {};
  const auto judge = [&](const Mutant& mutant) {
    const bool survives = verify(mutant.schedule).ok();
    killed[static_cast<std::size_t>(mutant.mistake)] += survives ? 0 : 1;
    bool listed = false;
    bool must_survive = false;
    for (std::size_t i = 0; i < survivors.size(); ++i) {
      const Equivalent& equivalent = equivalents()[i];
      if ((!survives && !equivalent.always) || !equivalent.covers(mutant)) continue;
      listed = true;
      must_survive |= equivalent.always;
      ++survivors[i];
    }
    if (survives && !listed) ADD_FAILURE() << "survives: " << describe(mutant);
    if (survives) {
      const std::optional<std::string> failure = carry_out(mutant.schedule);
      EXPECT_FALSE(failure) << "survives, but fails: " << describe(mutant) << "\n" << *failure;
    }
    if (!survives && must_survive) ADD_FAILURE() << "listed, but killed: " << describe(mutant);
  };
  for (int ranks = 2; ranks <= 5; ++ranks) {
    for (const Plan& plan : every_plan(ranks, {2, 3})) {
      for_each_mutant(without_publications(make_schedule(plan).value()), judge);
    }
  }
  for (std::size_t i = 0; i < survivors.size(); ++i) {
    EXPECT_GT(survivors[i], 0) << "never happens: " << equivalents()[i].reason;
  }
  for (std::size_t i = 0; i < killed.size(); ++i) {
    EXPECT_GT(killed[i], 100) << "hardly a mutant of kind " << name(static_cast<Mistake>(i));
  }
}

// Or the simulation would not show that a survivor is wrong: in two lanes, tiles of two messages
// overtake each other.
TEST(Mutation, MessagesOfOneLinkInTwoLanesFailInTiles) {
  int mutants = 0;
  int found = 0;
  const auto judge = [&](const Mutant& mutant) {
    if (mutant.mistake != Mistake::own_lane || !shares_its_link(mutant)) return;
    ++mutants;
    found += carry_out(mutant.schedule) ? 1 : 0;
  };
  for_each_mutant(make_schedule({Algorithm::ring, Collective::allreduce, 3}).value(), judge);
  for_each_mutant(make_schedule({Algorithm::ring, Collective::allgather, 4}).value(), judge);
  EXPECT_GT(mutants, 10);
  EXPECT_EQ(found, mutants);
}

}  // namespace
}  // namespace rondo::testing
