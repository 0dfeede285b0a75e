#include "mutants.hpp"

#include <algorithm>
#include <array>

namespace rondo::testing {

namespace {

class Maker {
 public:
  Maker(const Schedule& original, const std::function<void(const Mutant&)>& visit)
      : original_(original), visit_(visit) {}

  void run() {
    for (const Program& program : original_.programs) {
      rank_ = program.rank;
      for (step_ = 0; step_ < program.steps.size(); ++step_) {
        mutate_waits();
        mutate_segments();
        mutate_links();
        mutate_kind();
        mutate_order();
        mutate_lane();
        mutate_place();
      }
    }
  }

 private:
  const Program& program() const { return original_.programs[rank_]; }
  const Step& original_step() const { return program().steps[step_]; }

  // Visits a copy of the schedule that `change` has changed.
  template <class Change>
  void with(Mistake mistake, Change change) {
    Mutant mutant{mistake, original_, rank_, step_, original_};
    change(mutant.schedule.programs[rank_]);
    if (mutant.schedule != original_) visit_(mutant);
  }
  template <class Change>
  void with_step(Mistake mistake, Change change) {
    with(mistake, [&](Program& program) { change(program.steps[step_]); });
  }

  void mutate_waits() {
    for (std::size_t i = 0; i < original_step().waits.size(); ++i) {
      if (original_step().waits[i].count == 0) continue;
      with_step(Mistake::drop_wait, [&](Step& step) { step.waits[i] = {}; });
      if (original_step().waits[i].count == 1) continue;
      with_step(Mistake::weaken_wait, [&](Step& step) {
        const Wait wait = step.waits[i];
        step.waits[i].count = (wait.count - 1) & Wait::max_count;
      });
    }
  }

  void mutate_segments() {
    for (const std::uint32_t by : {1u, UINT32_MAX}) {  // to the next one and to the one before
      const Step& original = original_step();
      if (original.has_source()) {
        with_step(Mistake::shift_source, [&](Step& step) { step.source_segment += by; });
      }
      if (original.has_destination()) {
        with_step(Mistake::shift_target, [&](Step& step) { step.destination_segment += by; });
      }
      with_step(Mistake::shift_subject, [&](Step& step) { step.about += by; });
      with_step(Mistake::shift_step, [&](Step& step) {
        step.about += by;
        if (step.has_source() && step.source_buffer != Buffer::scratch) step.source_segment += by;
        if (step.has_destination() && step.destination_buffer != Buffer::scratch) {
          step.destination_segment += by;
        }
      });
    }
    with_step(Mistake::lengthen, [](Step& step) { ++step.count; });
    for (const Buffer buffer : {Buffer::in, Buffer::out, Buffer::scratch}) {
      if (original_step().has_source()) {
        with_step(Mistake::other_source, [&](Step& step) { step.source_buffer = buffer; });
      }
      if (original_step().has_destination()) {
        with_step(Mistake::other_target, [&](Step& step) { step.destination_buffer = buffer; });
      }
    }
  }

  void mutate_links() {
    with_step(Mistake::other_peer,
              [&](Step& step) { step.peer = (step.peer + 1) % original_.plan.ranks; });
    if (!original_step().is_message()) return;
    with_step(Mistake::other_channel, [](Step& step) { step.channel ^= 1; });
    if (original_step().op != StepOp::send) return;
    const auto [peer, recv] = other_side();
    Mutant moved{Mistake::moved_channel, original_, rank_, step_, original_};
    moved.schedule.programs[rank_].steps[step_].channel ^= 1;
    moved.schedule.programs[peer].steps[recv].channel ^= 1;
    visit_(moved);
    Mutant dropped{Mistake::drop_message, original_, rank_, step_, original_};
    drop(dropped.schedule.programs[rank_], step_);
    drop(dropped.schedule.programs[peer], recv);
    visit_(dropped);
  }

  // The recv of the send at step_. Generators order the steps of one link by their place.
  std::pair<int, std::size_t> other_side() const {
    const Step& send = original_step();
    const auto on_link = [&](const Step& step, StepOp op, int peer) {
      return step.op == op && step.peer == peer && step.channel == send.channel;
    };
    std::size_t earlier = 0;
    for (std::size_t i = 0; i < step_; ++i) {
      earlier += on_link(program().steps[i], StepOp::send, send.peer) ? 1 : 0;
    }
    const std::vector<Step>& steps = original_.programs[send.peer].steps;
    std::size_t recv = 0;
    while (!on_link(steps[recv], StepOp::recv, rank_) || earlier-- > 0) ++recv;
    return {send.peer, recv};
  }

  void mutate_kind() {
    if (original_step().op == StepOp::recv) {
      with_step(Mistake::flip_accumulate, [](Step& step) {
        step.flags ^= Step::accumulate_flag;
        if (!step.accumulates()) return;
        step.source_buffer = step.destination_buffer;
        step.source_segment = step.destination_segment;
      });
    }
    with_step(Mistake::flip_complete, [](Step& step) { step.flags ^= Step::complete_flag; });
    if (original_step().accumulates()) {
      with_step(Mistake::swap_operands, [](Step& step) {
        const Slice source = step.source();
        step.source_buffer = step.destination_buffer;
        step.source_segment = step.destination_segment;
        step.destination_buffer = source.buffer;
        step.destination_segment = source.segment;
      });
    }
  }

  static std::size_t lane_of(const Program& program, std::size_t step) {
    std::size_t lane = 0;
    while (program.lane_end[lane] <= step) ++lane;
    return lane;
  }
  // A lane that loses its only step is gone: waits for it name other lanes then.
  static void drop(Program& program, std::size_t step) {
    const std::size_t lane = lane_of(program, step);
    const bool only = program.lane(static_cast<int>(lane)).size() == 1;
    program.steps.erase(program.steps.begin() + static_cast<std::ptrdiff_t>(step));
    for (std::size_t i = lane; i < program.lane_end.size(); ++i) --program.lane_end[i];
    if (!only) return;
    program.lane_end.erase(program.lane_end.begin() + static_cast<std::ptrdiff_t>(lane));
    for (Step& other : program.steps) {
      for (Wait& wait : other.waits) {
        if (wait.count != 0 && wait.lane == lane) wait = {};
        if (wait.lane > lane) wait.lane = (wait.lane - 1u) & Wait::max_lane;
      }
    }
  }

  void mutate_order() {
    const bool last = step_ + 1 == program().lane_end[lane_of(program(), step_)];
    if (!last) {
      with(Mistake::swap_steps,
           [&](Program& program) { std::swap(program.steps[step_], program.steps[step_ + 1]); });
    }
    with(Mistake::drop_step, [&](Program& program) { drop(program, step_); });
    with(Mistake::repeat_step, [&](Program& program) {
      const std::size_t lane = lane_of(program, step_);
      const Step again = program.steps[step_];
      program.steps.insert(program.steps.begin() + static_cast<std::ptrdiff_t>(step_), again);
      for (std::size_t i = lane; i < program.lane_end.size(); ++i) ++program.lane_end[i];
    });
  }

  static bool add_wait(Step& step, std::size_t lane, std::size_t count) {
    for (Wait& wait : step.waits) {
      if (wait.count != 0) continue;
      wait.lane = static_cast<std::uint32_t>(lane) & Wait::max_lane;
      wait.count = static_cast<std::uint32_t>(count) & Wait::max_count;
      return true;
    }
    return false;
  }

  // The new lane is the last one. The step waits for the one before it, and the one after it for
  // the step, as far as they have a wait to spare.
  void mutate_lane() {
    const std::size_t lane = lane_of(program(), step_);
    const std::size_t begin = lane == 0 ? 0 : program().lane_end[lane - 1];
    const std::size_t before = step_ - begin;
    const bool last = step_ + 1 == program().lane_end[lane];
    if (before == 0 && last) return;
    Program changed = program();
    const auto new_lane = static_cast<std::uint32_t>(changed.lanes());
    for (Step& step : changed.steps) {
      for (Wait& wait : step.waits) {
        if (wait.count == 0 || wait.lane != lane || wait.count <= before) continue;
        const bool for_step = wait.count == before + 1;
        wait.lane = (for_step ? new_lane : wait.lane) & Wait::max_lane;
        wait.count = (for_step ? 1u : wait.count - 1u) & Wait::max_count;
      }
    }
    if (before > 0 && !add_wait(changed.steps[step_], lane, before)) return;
    if (!last && !add_wait(changed.steps[step_ + 1], new_lane, 1)) return;
    const auto place = changed.steps.begin() + static_cast<std::ptrdiff_t>(step_);
    std::rotate(place, place + 1, changed.steps.end());
    for (std::size_t i = lane; i < changed.lane_end.size(); ++i) --changed.lane_end[i];
    changed.lane_end.push_back(static_cast<std::uint32_t>(changed.steps.size()));
    with(Mistake::own_lane, [&](Program& program) { program = changed; });
  }

  // The same segment of the vector in `in` or `out`, or a new segment of scratch.
  void mutate_place() {
    if (!original_step().has_destination()) return;
    const Slice from = original_step().destination();
    for (const Buffer buffer : {Buffer::in, Buffer::out, Buffer::scratch}) {
      if (buffer == from.buffer) continue;
      Slice to{buffer, program().shape.scratch, from.count};
      if (buffer != Buffer::scratch) {
        const std::uint32_t first = program().first_segment_of(buffer);
        if (original_step().about < first) continue;
        to.segment = original_step().about - first;
      }
      with(Mistake::other_place, [&](Program& program) {
        if (buffer == Buffer::scratch) program.shape.scratch += from.count;
        program.steps[step_].destination_buffer = to.buffer;
        program.steps[step_].destination_segment = to.segment;
        for (Step& step : program.steps) {
          if (!step.has_source() || step.source() != from) continue;
          step.source_buffer = to.buffer;
          step.source_segment = to.segment;
        }
      });
    }
  }

  const Schedule& original_;
  const std::function<void(const Mutant&)>& visit_;
  int rank_ = 0;
  std::size_t step_ = 0;
};

constexpr std::array<std::string_view, mistake_count> mistake_names = {
    "drop_wait",       "weaken_wait",   "shift_source", "shift_target",  "shift_step",
    "shift_subject",   "lengthen",      "other_peer",   "other_channel", "moved_channel",
    "flip_accumulate", "flip_complete", "other_source", "other_target",  "swap_steps",
    "swap_operands",   "drop_step",     "repeat_step",  "drop_message",  "own_lane",
    "other_place"};

}  // namespace

std::string_view name(Mistake mistake) {
  return mistake_names[static_cast<std::size_t>(mistake)];
}

void for_each_mutant(const Schedule& schedule, const std::function<void(const Mutant&)>& visit) {
  Maker(schedule, visit).run();
}

}  // namespace rondo::testing
