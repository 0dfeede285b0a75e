#include "check/structure.hpp"

#include "base/text.hpp"
#include "schedule/generators.hpp"
#include "schedule/text.hpp"

namespace rondo {

namespace {

// A proof keeps a value for every segment of every rank: this bounds its memory, whatever a
// schedule read from a file claims.
constexpr std::uint64_t max_cells = std::uint64_t{1} << 26;

Error wrong(const std::string& text) {
  return Error(ErrorCode::invalid_argument, text);
}

Result<> check_shape(const Schedule& schedule, const Program& program) {
  const auto ranks = static_cast<std::uint32_t>(schedule.plan.ranks);
  const Collective collective = schedule.plan.collective;
  const std::uint32_t blocks = has_blocks(collective) ? ranks : 1;
  const Shape& shape = program.shape;
  if (shape.blocks != blocks) {
    return wrong(concat("rank ", program.rank, " has ", shape.blocks, " blocks; ", name(collective),
                        " of ", ranks, " ranks has ", blocks));
  }
  if (std::uint64_t{shape.blocks} * shape.segments > max_cells) {
    return wrong(concat("rank ", program.rank, " has a vector of ", shape.blocks, " × ",
                        shape.segments, " segments: too many to check"));
  }
  if (shape.mirror > shape.scratch) {
    return wrong(concat("rank ", program.rank, " has a mirror of ", shape.mirror,
                        " segments in a scratch of ", shape.scratch));
  }
  if (std::uint64_t{shape.mirror_first} + shape.mirror >
      std::uint64_t{shape.blocks} * shape.segments) {
    return wrong(concat("rank ", program.rank, " mirrors segments ", shape.mirror_first, " to ",
                        std::uint64_t{shape.mirror_first} + shape.mirror - 1,
                        " of a vector that has ", shape.blocks * shape.segments));
  }
  const std::size_t weights =
      schedule.plan.arrangement ? schedule.plan.arrangement->weights().size() : 0;
  if (weights != 0 && (shape.blocks != 1 || weights != shape.segments)) {
    return wrong(concat("rank ", program.rank, " has ", shape.blocks, " × ", shape.segments,
                        " segments, the arrangement weights for ", weights));
  }
  const Shape& first = schedule.programs.front().shape;
  if (shape.segments == 0 || shape.segments != first.segments) {
    return wrong(concat("rank ", program.rank, " has ", shape.segments,
                        " segments a block, rank 0 ", first.segments,
                        "; all ranks need the same number, at least 1"));
  }
  return {};
}

Result<> check_lanes(const Program& program) {
  constexpr int most_lanes = Wait::max_lane + 1;
  if (program.lanes() > most_lanes) {
    return wrong(concat("rank ", program.rank, " has ", program.lanes(), " lanes; a wait can name ",
                        most_lanes));
  }
  std::uint32_t end = 0;
  for (int lane = 0; lane < program.lanes(); ++lane) {
    const std::uint32_t next = program.lane_end[lane];
    if (next <= end || next > program.steps.size()) {
      return wrong(concat("rank ", program.rank, " lane ", lane, " has no steps"));
    }
    end = next;
  }
  if (end != program.steps.size()) {
    return wrong(concat("rank ", program.rank, " has steps outside of its lanes"));
  }
  return {};
}

class StepCheck {
 public:
  StepCheck(const Program& program, std::size_t index)
      : program_(program), index_(index), step_(program.steps[index]) {}

  Result<> run() const {
    for (const auto check : {&StepCheck::kind, &StepCheck::peer, &StepCheck::slices,
                             &StepCheck::subject, &StepCheck::waits}) {
      if (Result<> result = (this->*check)(); !result) return result;
    }
    return {};
  }

 private:
  template <class... Parts>
  Error refuse(const Parts&... parts) const {
    return wrong(concat(where(program_, index_), ": ", parts...));
  }

  Result<> kind() const {
    if (step_.op > StepOp::reduce) {
      return wrong(concat("rank ", program_.rank, " step ", index_, ": unknown operation ",
                          static_cast<int>(step_.op)));
    }
    if (step_.flags > (Step::accumulate_flag | Step::complete_flag)) {
      return refuse("unknown flags ", +step_.flags);
    }
    if (step_.accumulates() && step_.op != StepOp::recv) return refuse("only a recv accumulates");
    if (step_.publication() > program_.steps.size()) {
      return refuse("publication ", step_.publication(), " of a rank that has ",
                    program_.steps.size(), " steps");
    }
    const bool sums = step_.op == StepOp::reduce || step_.accumulates();
    if (step_.completes() && !sums) return refuse("completes a value without adding to it");
    if (step_.completes() && !(reduces_all(program_.plan.collective) && program_.plan.ranks > 1)) {
      return refuse("completes a value, but nothing is summed over all ranks in ",
                    name(program_.plan.collective), " of ", program_.plan.ranks, " ranks");
    }
    return {};
  }

  Result<> peer() const {
    if (!step_.is_message()) {
      if (step_.peer != -1) return refuse("only a send or recv has a peer, not ", step_.peer);
      return {};
    }
    if (step_.peer < 0 || step_.peer >= program_.plan.ranks || step_.peer == program_.rank) {
      return refuse("peer ", step_.peer, " is not another rank of 0…", program_.plan.ranks - 1);
    }
    return {};
  }

  Result<> slices() const {
    if (step_.count == 0) return refuse("no segments");
    const auto outside = [&](Slice slice) {
      if (slice.buffer > Buffer::scratch) return true;
      if (goes_round(slice)) return slice.count > program_.vector_segments();
      return std::uint64_t{slice.segment} + slice.count > program_.segments_of(slice.buffer);
    };
    const auto refuse_slice = [&](Slice slice) {
      return refuse(to_text(slice), " is outside of ", name(slice.buffer), ", which has ",
                    program_.segments_of(slice.buffer), " segments on this rank");
    };
    if (step_.has_destination() && step_.destination_buffer == Buffer::in) {
      return refuse("writes ", to_text(step_.destination()), ", which is the caller's");
    }
    if (step_.has_source() && outside(step_.source())) return refuse_slice(step_.source());
    if (step_.has_destination() && outside(step_.destination())) {
      return refuse_slice(step_.destination());
    }
    if (step_.count == 1 || !step_.is_message()) return {};
    // The segments of such a run lie side by side, at their sizes.
    const auto refuse_run = [&](Slice slice) {
      return refuse("a message carries a run of the vector or its mirror, not ", to_text(slice));
    };
    if (step_.has_source() && !program_.is_placed(step_.source())) {
      return refuse_run(step_.source());
    }
    if (step_.has_destination() && !program_.is_placed(step_.destination())) {
      return refuse_run(step_.destination());
    }
    return {};
  }

  // Whether a slice goes past the end of what is the whole vector.
  bool goes_round(Slice slice) const {
    const std::uint32_t vector = program_.vector_segments();
    if (slice.segment >= vector || std::uint64_t{slice.segment} + slice.count <= vector) {
      return false;
    }
    return vector == (slice.buffer == Buffer::scratch ? program_.shape.mirror
                                                      : program_.segments_of(slice.buffer));
  }

  // Slices of the vector are about themselves.
  Result<> subject() const {
    const std::uint32_t run = step_.op == StepOp::reduce ? 1 : step_.count;
    const std::uint32_t vector = program_.vector_segments();
    if (step_.about >= vector || run > vector) {
      return refuse("is about segment ", step_.about, " of a vector that has ", vector);
    }
    const bool round = run > vector - step_.about;
    const auto turns_elsewhere = [&](Slice slice) {
      return program_.is_placed(slice) &&
             (goes_round(slice) != round || (round && slice.segment != step_.about));
    };
    if ((step_.has_source() && turns_elsewhere(step_.source())) ||
        (step_.has_destination() && turns_elsewhere(step_.destination()))) {
      return refuse("goes round the end of the vector with one slice, and with another one not");
    }
    const auto fits = [&](Slice slice) {
      const std::uint32_t place = program_.first_segment_of(slice.buffer) + slice.segment;
      return !program_.is_placed({slice.buffer, slice.segment}) ||
             program_.size_class(place) == program_.size_class(step_.about);
    };
    const auto straddles = [&](Slice slice) {
      return slice.buffer == Buffer::scratch && slice.segment < program_.shape.mirror &&
             !program_.is_placed(slice);
    };
    if ((step_.has_source() && straddles(step_.source())) ||
        (step_.has_destination() && straddles(step_.destination()))) {
      return refuse("reaches across the end of the mirror");
    }
    if (step_.has_source() && !fits(step_.source())) {
      return refuse(to_text(step_.source()), " is not segment ", step_.about, " of the vector");
    }
    if (step_.has_destination() && !fits(step_.destination())) {
      return refuse(to_text(step_.destination()), " is not segment ", step_.about,
                    " of the vector");
    }
    if (step_.op == StepOp::reduce && step_.count > 1 && step_.source_buffer != Buffer::scratch) {
      return refuse("reduces different segments of the vector into one");
    }
    return {};
  }

  Result<> waits() const {
    for (const Wait& wait : step_.waits) {
      if (wait.count == 0) continue;
      if (static_cast<int>(wait.lane) >= program_.lanes()) {
        return refuse("waits for lane ", wait.lane, " of ", program_.lanes());
      }
      if (wait.count > program_.lane(static_cast<int>(wait.lane)).size()) {
        return refuse("waits for ", wait.count, " steps of lane ", wait.lane, ", which has ",
                      program_.lane(static_cast<int>(wait.lane)).size());
      }
    }
    return {};
  }

  const Program& program_;
  std::size_t index_;
  const Step& step_;
};

Result<> check_program(const Schedule& schedule, const Program& program) {
  if (program.plan != schedule.plan) {
    return wrong(concat("rank ", program.rank, " has another plan than the schedule"));
  }
  if (Result<> shape = check_shape(schedule, program); !shape) return shape;
  if (Result<> lanes = check_lanes(program); !lanes) return lanes;
  for (std::size_t i = 0; i < program.steps.size(); ++i) {
    if (Result<> step = StepCheck(program, i).run(); !step) return step;
  }
  return {};
}

}  // namespace

Result<> check_structure(const Schedule& schedule) {
  if (Result<> plan = check_plan(schedule.plan); !plan) return plan;
  if (schedule.programs.size() != static_cast<std::size_t>(schedule.plan.ranks)) {
    return wrong(concat("a plan of ", schedule.plan.ranks, " ranks needs as many programs, not ",
                        schedule.programs.size()));
  }
  std::uint64_t cells = 0;
  for (std::size_t rank = 0; rank < schedule.programs.size(); ++rank) {
    const Program& program = schedule.programs[rank];
    if (program.rank != static_cast<int>(rank)) {
      return wrong(concat("program ", rank, " says that it is rank ", program.rank));
    }
    if (Result<> checked = check_program(schedule, program); !checked) return checked;
    const std::uint64_t vector = std::uint64_t{program.shape.blocks} * program.shape.segments;
    cells += 2 * vector + program.shape.scratch;
    if (cells > max_cells) {
      return wrong(concat("the buffers of ranks 0…", rank, " have more than ", max_cells,
                          " segments together: too many to check"));
    }
  }
  return {};
}

}  // namespace rondo
