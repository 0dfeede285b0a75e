#include "schedule/builder.hpp"

#include <algorithm>
#include <utility>

#include "base/invariant.hpp"
#include "schedule/runs.hpp"

namespace rondo {

namespace {

std::uint32_t clock_entry(std::span<const std::uint32_t> clock, int lane) {
  return lane < static_cast<int>(clock.size()) ? clock[lane] : 0;
}

}  // namespace

ProgramBuilder::ProgramBuilder(const Plan& plan, int rank, Shape shape)
    : program_{plan, rank, shape, {}, {}},
      vector_cells_(std::size_t{shape.blocks} * shape.segments),
      scratch_cells_(shape.scratch) {}

Slice ProgramBuilder::new_scratch(std::uint32_t count) {
  const Slice added = scratch(program_.shape.scratch, count);
  program_.shape.scratch += count;
  scratch_cells_.resize(program_.shape.scratch);
  return added;
}

void ProgramBuilder::send(int lane, int peer, int channel, Slice source) {
  source = input_of(source);
  Step step;
  step.op = StepOp::send;
  step.peer = peer;
  step.channel = static_cast<std::uint8_t>(channel);
  step.source_buffer = source.buffer;
  step.source_segment = source.segment;
  step.count = source.count;
  step.about = about(source);
  append(lane, step);
}

// Where the slice was copied from, if it was: long results leave the cache at once, and the send
// would have to fetch them.
Slice ProgramBuilder::input_of(Slice slice) {
  const Collective collective = program_.plan.collective;
  const bool copies_results =
      collective == Collective::allgather || collective == Collective::broadcast;
  if (!copies_results || slice.buffer != Buffer::out) return slice;
  if (std::size_t{slice.segment} + slice.count > program_.segments_of(Buffer::out)) return slice;
  for (std::uint32_t i = 0; i < slice.count; ++i) {
    if (!cell(Buffer::out, slice.segment + i).is_input) return slice;
  }
  return in(slice.segment + program_.first_segment_of(Buffer::out) -
                program_.first_segment_of(Buffer::in),
            slice.count);
}

void ProgramBuilder::recv(int lane, int peer, int channel, Slice destination) {
  RONDO_INVARIANT(program_.is_placed(destination), ==, true);
  recv(lane, peer, channel, destination, destination);
}

void ProgramBuilder::recv(int lane, int peer, int channel, Slice destination, Slice like) {
  RONDO_INVARIANT(like.count, ==, destination.count);
  Step step;
  step.op = StepOp::recv;
  step.peer = peer;
  step.channel = static_cast<std::uint8_t>(channel);
  step.destination_buffer = destination.buffer;
  step.destination_segment = destination.segment;
  step.count = destination.count;
  step.about = about(like);
  append(lane, step);
}

void ProgramBuilder::recv_reduce(int lane, int peer, int channel, Slice own, Slice destination,
                                 Final final) {
  RONDO_INVARIANT(own.count, ==, destination.count);
  Step step;
  step.op = StepOp::recv;
  step.flags = Step::accumulate_flag;
  if (final == Final::yes) step.flags |= Step::complete_flag;
  step.peer = peer;
  step.channel = static_cast<std::uint8_t>(channel);
  step.source_buffer = own.buffer;
  step.source_segment = own.segment;
  step.destination_buffer = destination.buffer;
  step.destination_segment = destination.segment;
  step.count = destination.count;
  step.about = about(own);
  append(lane, step);
}

void ProgramBuilder::copy(int lane, Slice source, Slice destination) {
  RONDO_INVARIANT(source.count, ==, destination.count);
  Step step;
  step.op = StepOp::copy;
  step.source_buffer = source.buffer;
  step.source_segment = source.segment;
  step.destination_buffer = destination.buffer;
  step.destination_segment = destination.segment;
  step.count = destination.count;
  step.about =
      about(program_.is_placed(source) || !program_.is_placed(destination) ? source : destination);
  append(lane, step);
}

void ProgramBuilder::reduce(int lane, Slice source, Slice destination, Final final) {
  RONDO_INVARIANT(destination.count, ==, 1u);
  Step step;
  step.op = StepOp::reduce;
  if (final == Final::yes) step.flags = Step::complete_flag;
  step.source_buffer = source.buffer;
  step.source_segment = source.segment;
  step.destination_buffer = destination.buffer;
  step.destination_segment = destination.segment;
  step.count = source.count;
  step.about = about(source);
  append(lane, step);
}

std::uint32_t ProgramBuilder::about(Slice slice) {
  if (!program_.is_placed(slice)) return cell(Buffer::scratch, slice.segment).about;
  RONDO_INVARIANT(slice.segment, <, program_.segments_of(slice.buffer));
  return program_.first_segment_of(slice.buffer) + slice.segment;
}

ProgramBuilder::Cell& ProgramBuilder::cell(Buffer buffer, std::uint32_t segment) {
  RONDO_INVARIANT(segment, <, program_.segments_of(buffer));
  if (buffer == Buffer::scratch) return scratch_cells_[segment];
  return vector_cells_[program_.first_segment_of(buffer) + segment];
}

void ProgramBuilder::find_dependencies(int lane, const Step& step) {
  needed_.clear();
  // Segments of a run mostly have the same past.
  const auto need = [&](Access access) {
    if (access.lane < 0 || access.lane == lane) return;
    if (needed_.empty() || needed_.back() != access) needed_.push_back(access);
  };
  for (const Step& part : StepParts(program_, step)) {
    if (part.has_source()) {
      const Slice source = part.source();
      for (std::uint32_t i = 0; i < source.count; ++i) {
        need(cell(source.buffer, source.segment + i).last_write);
      }
    }
    if (!part.has_destination()) continue;
    const Slice destination = part.destination();
    for (std::uint32_t i = 0; i < destination.count; ++i) {
      const Cell& target = cell(destination.buffer, destination.segment + i);
      need(target.last_write);
      need(target.last_read);
      for (const Access& read : target.other_reads) need(read);
    }
  }
  prune(lane);
}

// Keeps only the accesses that neither the lane's own past nor another needed access implies.
void ProgramBuilder::prune(int lane) {
  const Clock own = clock_of(lane);
  std::erase_if(needed_, [&](Access a) { return clock_entry(own, a.lane) >= a.count; });
  if (needed_.size() < 2) return;
  std::sort(needed_.begin(), needed_.end(), [](Access a, Access b) {
    return a.lane != b.lane ? a.lane < b.lane : a.count > b.count;
  });
  const auto same_lane = [](Access a, Access b) { return a.lane == b.lane; };
  needed_.erase(std::unique(needed_.begin(), needed_.end(), same_lane), needed_.end());
  unpruned_ = needed_;
  std::erase_if(needed_, [&](Access a) {
    return std::any_of(unpruned_.begin(), unpruned_.end(), [&](Access b) {
      return b.lane != a.lane && clock_entry(clock_at(b), a.lane) >= a.count;
    });
  });
}

// What is known after the next step of the lane: what it waits for has happened, and itself.
void ProgramBuilder::advance_clock(int lane) {
  const std::size_t before = clock_of(lane).size();
  ClockPlace place{clock_counts_.size(), std::max(before, static_cast<std::size_t>(lane) + 1)};
  for (const Access& access : needed_) place.size = std::max(place.size, clock_at(access).size());
  clock_counts_.resize(place.begin + place.size);
  const std::span<std::uint32_t> clock(clock_counts_.data() + place.begin, place.size);
  const Clock own = clock_of(lane);
  std::copy(own.begin(), own.end(), clock.begin());
  for (const Access& access : needed_) {
    const Clock other = clock_at(access);
    for (std::size_t i = 0; i < other.size(); ++i) clock[i] = std::max(clock[i], other[i]);
  }
  clock[lane] = static_cast<std::uint32_t>(clocks_[lane].size()) + 1;
  clocks_[lane].push_back(place);
}

void ProgramBuilder::append(int lane, Step step) {
  if (lane >= static_cast<int>(lanes_.size())) {
    lanes_.resize(lane + 1);
    clocks_.resize(lane + 1);
  }
  find_dependencies(lane, step);
  RONDO_INVARIANT(needed_.size(), <=, step.waits.size());
  for (std::size_t i = 0; i < needed_.size(); ++i) {
    RONDO_INVARIANT(static_cast<std::uint32_t>(needed_[i].lane), <=, Wait::max_lane);
    RONDO_INVARIANT(needed_[i].count, <=, Wait::max_count);
    step.waits[i].lane = static_cast<std::uint32_t>(needed_[i].lane) & Wait::max_lane;
    step.waits[i].count = needed_[i].count & Wait::max_count;
  }
  advance_clock(lane);
  lanes_[lane].push_back(step);
  record(lane, step);
  if (step.op == StepOp::send) publish(lane);
}

void ProgramBuilder::record(int lane, const Step& step) {
  const Access now{lane, static_cast<std::uint32_t>(lanes_[lane].size())};
  const StepParts parts(program_, step);
  for (const Step& part : parts) {
    if (!part.has_source()) continue;
    const Slice source = part.source();
    for (std::uint32_t i = 0; i < source.count; ++i) {
      Cell& read = cell(source.buffer, source.segment + i);
      if (read.last_read.lane >= 0 && read.last_read.lane != lane) {
        std::erase_if(read.other_reads, [&](Access a) { return a.lane == lane; });
        read.other_reads.push_back(read.last_read);
      }
      read.last_read = now;
    }
  }
  if (step.has_destination()) ++writes_;
  for (const Step& part : parts) {
    if (!part.has_destination()) continue;
    const Slice destination = part.destination();
    for (std::uint32_t i = 0; i < destination.count; ++i) {
      Cell& target = cell(destination.buffer, destination.segment + i);
      target.last_write = now;
      target.version = writes_;
      target.last_read = {};
      target.other_reads.clear();
      target.about = part.about + i;
      target.is_input = part.op == StepOp::copy && part.source_buffer == Buffer::in &&
                        part.destination_buffer == Buffer::out &&
                        &cell(Buffer::in, part.source_segment + i) == &target;
    }
  }
}

// The last send of a lane joins the one before it that sends the same, or its publication.
void ProgramBuilder::publish(int lane) {
  Step& send = lanes_[lane].back();
  Cell& first = cell(send.source_buffer, send.source_segment);
  const Access before =
      std::exchange(first.last_send, {lane, static_cast<std::uint32_t>(lanes_[lane].size())});
  const std::uint32_t written = std::exchange(first.sent_version, writes_);
  if (before.lane < 0) return;
  Step& other = lanes_[before.lane][before.count - 1];
  const bool is_alike =
      other.source() == send.source() && other.about == send.about && other.channel == send.channel;
  if (!is_alike || !is_unwritten_since(send, written)) return;
  const auto enter = [&](const Step& member, std::uint32_t number) {
    const auto peer = static_cast<std::uint32_t>(member.peer);
    return readers_.insert(std::uint64_t{number} << 32 | peer).second;
  };
  if (other.publication() == 0) {
    if (other.peer == send.peer) return;
    other.set_publication(++publications_);
    enter(other, publications_);
  }
  if (enter(send, other.publication())) send.set_publication(other.publication());
}

bool ProgramBuilder::is_unwritten_since(const Step& send, std::uint32_t writes) {
  for (const Step& part : StepParts(program_, send)) {
    const Slice source = part.source();
    for (std::uint32_t i = 0; i < source.count; ++i) {
      if (cell(source.buffer, source.segment + i).version > writes) return false;
    }
  }
  return true;
}

Program ProgramBuilder::finish() && {
  for (std::vector<Step>& lane : lanes_) {
    RONDO_INVARIANT(lane.size(), >, 0u);
    program_.steps.insert(program_.steps.end(), lane.begin(), lane.end());
    program_.lane_end.push_back(static_cast<std::uint32_t>(program_.steps.size()));
  }
  return std::move(program_);
}

}  // namespace rondo
