#pragma once

// The interpreter: carries out a schedule along a trace on values of any kind.
//
// A kind of values is a class with
//   Value                        a default-constructed one is what memory holds before any write
//   bool is_defined(Value)
//   Value input(rank, segment)   what `in` holds at first; segment is an index in the vector
//   Value add(Value, Value)
//   Value complete(Value, segment)
//   Value round(Value)           what memory holds of a sum: wider numbers are rounded there
//   const char* objection()      not null as soon as an operation was not allowed: ends the run

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "base/text.hpp"
#include "check/rendezvous.hpp"
#include "rondo/schedule.hpp"
#include "schedule/runs.hpp"
#include "schedule/text.hpp"

namespace rondo {

enum class Placement : bool { out_of_place, in_place };

inline std::string_view name(Placement placement) {
  return placement == Placement::in_place ? "in place" : "out of place";
}

/// The buffers of all ranks.
template <class Value>
class Memory {
 public:
  Memory(const Schedule& schedule, Placement placement) {
    for (const Program& program : schedule.programs) {
      const std::size_t vector = std::size_t{program.shape.blocks} * program.shape.segments;
      const std::size_t out = placement == Placement::in_place ? 0 : vector;
      starts_.push_back({size_ + program.first_segment_of(Buffer::in),
                         size_ + out + program.first_segment_of(Buffer::out),
                         size_ + out + vector});
      size_ += out + vector + program.shape.scratch;
    }
    values_.resize(size_);
  }
  Value* at(std::size_t rank, const Slice& slice) {
    return &values_[starts_[rank][static_cast<std::size_t>(slice.buffer)] + slice.segment];
  }

 private:
  std::vector<std::array<std::size_t, 3>> starts_;  // per rank: in, out, scratch
  std::size_t size_ = 0;
  std::vector<Value> values_;
};

template <class Values>
class Fold {
 public:
  using Value = typename Values::Value;

  Fold(const Schedule& schedule, Placement placement, Values& values)
      : schedule_(schedule), placement_(placement), values_(values), memory_(schedule, placement) {
    for (const Program& program : schedule.programs) {
      const std::uint32_t first = program.first_segment_of(Buffer::in);
      const std::uint32_t count = program.segments_of(Buffer::in);
      if (count == 0) continue;
      Value* in = memory_.at(static_cast<std::size_t>(program.rank), {Buffer::in, 0, count});
      for (std::uint32_t i = 0; i < count; ++i) in[i] = values.input(program.rank, first + i);
    }
  }

  Result<> run(const Trace& trace) {
    for (const Event& event : trace.events) {
      if (Result<> carried_out = carry_out(event); !carried_out) return carried_out;
    }
    return {};
  }

  const Value& value(int rank, Slice segment) {
    return *memory_.at(static_cast<std::size_t>(rank), segment);
  }

 private:
  // Both sides of a message go round the end of the vector at the same place.
  Result<> carry_out(const Event& event) {
    const Program& program = schedule_.programs[event.rank];
    const StepParts parts(program, program.steps[event.step]);
    for (std::size_t part = 0; part < parts.size(); ++part) {
      if (Result<> done = carry_out(event, parts[part], part); !done) return done;
    }
    return {};
  }

  Result<> carry_out(const Event& event, const Step& step, std::size_t part) {
    if (Result<> read = check_source(event.rank, event.step, step); !read) return read;
    const Value* source = memory_.at(event.rank, step.source());
    switch (step.op) {
      case StepOp::send: {
        const Program& receiver = schedule_.programs[static_cast<std::size_t>(step.peer)];
        return receive(event, StepParts(receiver, receiver.steps[event.recv_step])[part], source);
      }
      case StepOp::copy:
        std::copy_n(source, step.count, memory_.at(event.rank, step.destination()));
        return {};
      default: {
        Value sum = source[0];
        for (std::uint32_t i = 1; i < step.count; ++i) sum = values_.add(sum, source[i]);
        *memory_.at(event.rank, step.destination()) = finish(sum, step, step.about);
        return check_objection(event.rank, event.step);
      }
    }
  }

  Result<> receive(const Event& event, const Step& step, const Value* incoming) {
    const auto rank =
        static_cast<std::size_t>(schedule_.programs[event.rank].steps[event.step].peer);
    const std::uint32_t step_index = event.recv_step;
    Value* destination = memory_.at(rank, step.destination());
    if (!step.accumulates()) {
      std::copy_n(incoming, step.count, destination);
      return {};
    }
    if (Result<> read = check_source(rank, step_index, step); !read) return read;
    const Value* own = memory_.at(rank, step.source());
    for (std::uint32_t i = 0; i < step.count; ++i) {
      destination[i] = finish(values_.add(incoming[i], own[i]), step, step.about + i);
      if (Result<> checked = check_objection(rank, step_index); !checked) return checked;
    }
    return {};
  }

  // What a step that folds stores. A single source that nothing divides is only copied.
  Value finish(const Value& folded, const Step& step, std::uint32_t segment) {
    if (step.completes()) return values_.round(values_.complete(folded, segment));
    return step.accumulates() || step.count > 1 ? values_.round(folded) : folded;
  }

  Result<> check_source(std::size_t rank, std::uint32_t step_index, const Step& step) {
    const Value* source = memory_.at(rank, step.source());
    for (std::uint32_t i = 0; i < step.count; ++i) {
      if (values_.is_defined(source[i])) continue;
      const Slice segment{step.source_buffer, step.source_segment + i};
      return refuse(rank, step_index,
                    concat("reads ", to_text(segment), ", which nothing has written"));
    }
    return {};
  }

  Result<> check_objection(std::size_t rank, std::uint32_t step_index) const {
    if (values_.objection() == nullptr) return {};
    return refuse(rank, step_index, values_.objection());
  }

  Error refuse(std::size_t rank, std::uint32_t step_index, std::string_view text) const {
    return Error(ErrorCode::invalid_argument, concat(where(schedule_.programs[rank], step_index),
                                                     ": ", text, " (", name(placement_), ")"));
  }

  const Schedule& schedule_;
  Placement placement_;
  Values& values_;
  Memory<Value> memory_;
};

}  // namespace rondo
