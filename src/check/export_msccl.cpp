// The XML of MSCCL: algo > gpu > tb > step, as the interpreter in microsoft/msccl reads it.
//
// A threadblock carries out its steps in order and knows one peer to send to, one to receive from
// and one channel. So the k-th peer that a lane sends to and the k-th one it receives from, on one
// channel, share a threadblock, and where a lane has several, each step waits for the one before it
// in the lane. A step can name one step of another threadblock to wait for; "nop" steps before it
// name the others.

#include <algorithm>
#include <map>
#include <sstream>
#include <tuple>
#include <utility>
#include <vector>

#include "base/text.hpp"
#include "check/verify.hpp"
#include "rondo/export_formats.hpp"
#include "schedule/runs.hpp"

namespace rondo {

namespace {

// Of the interpreter.
constexpr std::size_t most_steps = 256;
constexpr std::size_t most_threadblocks = 216;
constexpr int most_channels = 32;
constexpr std::uint32_t most_count = 71;

struct Place {
  std::size_t threadblock = 0;
  std::size_t step = 0;
  friend bool operator==(const Place&, const Place&) = default;
};

struct Instruction {
  const char* type = "nop";
  Slice source = {Buffer::in, 0, 0};
  Slice destination = {Buffer::out, 0, 0};
  std::uint32_t count = 0;
  bool waits = false;
  bool is_awaited = false;
  Place awaited = {};
};

struct Threadblock {
  int lane = 0;
  int send = -1;
  int recv = -1;
  int channel = -1;  // none as long as there is no peer
  std::vector<Instruction> steps = {};
};

std::string_view letter(Buffer buffer) {
  return buffer == Buffer::in ? "i" : buffer == Buffer::out ? "o" : "s";
}

Error unsupported(const std::string& text) {
  return Error(ErrorCode::unsupported, text);
}

class Gpu {
 public:
  explicit Gpu(const Program& program) : program_(program), done_at_(program.steps.size()) {
    for (int lane = 0; lane < program.lanes(); ++lane) assign(lane);
  }

  /// The recvs of the peers that meet each send, for readers: the interpreter goes by the recv.
  Result<> lower(const std::vector<StepParts>& met) {
    // By and by through all lanes, so that each step comes after those that it waits for.
    std::vector<std::uint32_t> next(static_cast<std::size_t>(program_.lanes()));
    for (std::size_t lane = 0; lane < next.size(); ++lane) next[lane] = begin_of(lane);
    for (bool moved = true; moved;) {
      moved = false;
      for (std::size_t lane = 0; lane < next.size(); ++lane) {
        while (next[lane] < program_.lane_end[lane] && is_ready(next, program_.steps[next[lane]])) {
          if (Result<> added = add(lane, next[lane], met); !added) return added;
          ++next[lane];
          moved = true;
        }
      }
    }
    return check_limits();
  }

  int channels() const {
    int most = 0;
    for (const Threadblock& block : blocks_) most = std::max(most, block.channel + 1);
    return most;
  }

  void write(std::ostream& out) const {
    out << "  <gpu id=\"" << program_.rank << "\" i_chunks=\"" << program_.segments_of(Buffer::in)
        << "\" o_chunks=\"" << program_.segments_of(Buffer::out) << "\" s_chunks=\""
        << program_.segments_of(Buffer::scratch) << "\">\n";
    for (std::size_t id = 0; id < blocks_.size(); ++id) write(out, id, blocks_[id]);
    out << "  </gpu>\n";
  }

 private:
  std::uint32_t begin_of(std::size_t lane) const {
    return lane == 0 ? 0 : program_.lane_end[lane - 1];
  }
  bool is_ready(const std::vector<std::uint32_t>& next, const Step& step) const {
    return std::all_of(step.waits.begin(), step.waits.end(), [&](const Wait& wait) {
      return wait.count == 0 || next[wait.lane] >= begin_of(wait.lane) + wait.count;
    });
  }

  // Gives each message of a lane its threadblock; the other steps go where the one before them is.
  void assign(int lane) {
    std::map<std::tuple<int, int, bool>, std::size_t> known;  // channel, peer, sends
    std::size_t current = blocks_.size();
    blocks_.push_back({.lane = lane});
    const std::size_t first = current;
    for (const Step& step : program_.lane(lane)) {
      if (step.is_message()) {
        const bool sends = step.op == StepOp::send;
        const auto [entry, is_new] = known.try_emplace({step.channel, step.peer, sends}, 0);
        if (is_new) entry->second = threadblock_for(first, step);
        current = entry->second;
      }
      block_of_.push_back(current);
    }
  }

  std::size_t threadblock_for(std::size_t first, const Step& step) {
    const auto side = step.op == StepOp::send ? &Threadblock::send : &Threadblock::recv;
    for (std::size_t id = first; id < blocks_.size(); ++id) {
      Threadblock& block = blocks_[id];
      if (block.channel != -1 && (block.channel != step.channel || block.*side != -1)) continue;
      block.channel = step.channel;
      block.*side = step.peer;
      return id;
    }
    Threadblock block{.lane = blocks_[first].lane, .channel = step.channel};
    block.*side = step.peer;
    blocks_.push_back(block);
    return blocks_.size() - 1;
  }

  Result<> add(std::size_t lane, std::uint32_t index, const std::vector<StepParts>& met) {
    const Step& step = program_.steps[index];
    const std::size_t id = block_of_[index];
    std::vector<Place> awaited;
    const auto await = [&](std::uint32_t earlier) {
      const Place place = done_at_[earlier];
      if (place.threadblock == id) return;
      if (std::find(awaited.begin(), awaited.end(), place) == awaited.end()) {
        awaited.push_back(place);
      }
    };
    if (index > begin_of(lane)) await(index - 1);
    for (const Wait& wait : step.waits) {
      if (wait.count > 0) await(begin_of(wait.lane) + wait.count - 1);
    }
    std::vector<Instruction>& steps = blocks_[id].steps;
    const std::size_t before = steps.size();
    const StepParts parts(program_, step);
    for (std::size_t part = 0; part < parts.size(); ++part) {
      const Slice sent_to = step.op == StepOp::send ? met[index][part].destination() : Slice{};
      Result<> lowered = lower(parts[part], sent_to, steps);
      if (!lowered) return lowered.error().with_prefix(concat("rank ", program_.rank, ": "));
    }
    for (std::size_t i = 1; i < awaited.size(); ++i) {
      steps.insert(steps.begin() + static_cast<std::ptrdiff_t>(before), Instruction{});
    }
    for (std::size_t i = 0; i < awaited.size(); ++i) {
      steps[before + i].waits = true;
      steps[before + i].awaited = awaited[i];
      blocks_[awaited[i].threadblock].steps[awaited[i].step].is_awaited = true;
    }
    done_at_[index] = {id, steps.size() - 1};
    return {};
  }

  static Result<> lower(const Step& step, Slice sent_to, std::vector<Instruction>& steps) {
    switch (step.op) {
      case StepOp::send:
        steps.push_back({"s", step.source(), sent_to, step.count});
        break;
      case StepOp::recv:
        steps.push_back({step.accumulates() ? "rrc" : "r",
                         step.accumulates() ? step.source() : step.destination(),
                         step.destination(), step.count});
        break;
      case StepOp::copy:
        steps.push_back({"cpy", step.source(), step.destination(), step.count});
        break;
      case StepOp::reduce:
        return lower_reduce(step, steps);
    }
    return {};
  }

  // The first operand is copied to the result, the others are added to it, one by one.
  static Result<> lower_reduce(const Step& step, std::vector<Instruction>& steps) {
    const Slice result = step.destination();
    const auto operand = [&](std::uint32_t i) {
      return Slice{step.source_buffer, step.source_segment + i, 1};
    };
    for (std::uint32_t i = 0; i < step.count; ++i) {
      if (i == 0 && operand(i) == result) continue;
      if (operand(i) == result) {
        return unsupported(
            "a reduction into an operand that is not its first one has no form in MSCCL XML");
      }
      steps.push_back({i == 0 ? "cpy" : "re", operand(i), result, 1});
    }
    if (step.count == 1 && operand(0) == result) steps.push_back({});
    return {};
  }

  Result<> check_limits() const {
    const auto beyond = [&](std::size_t found, std::string_view what, std::size_t most) {
      return unsupported(concat("rank ", program_.rank, " would have ", found, " ", what,
                                "; the interpreter of MSCCL takes ", most));
    };
    if (blocks_.size() > most_threadblocks) {
      return beyond(blocks_.size(), "threadblocks", most_threadblocks);
    }
    if (channels() > most_channels) {
      return beyond(static_cast<std::size_t>(channels()), "channels", most_channels);
    }
    for (const Threadblock& block : blocks_) {
      if (block.steps.size() > most_steps) {
        return beyond(block.steps.size(), "steps in a threadblock", most_steps);
      }
      for (const Instruction& step : block.steps) {
        if (step.count > most_count) return beyond(step.count, "chunks in a step", most_count);
      }
    }
    return {};
  }

  static void write(std::ostream& out, std::size_t id, const Threadblock& block) {
    const int channel = std::max(block.channel, 0);
    out << "    <tb id=\"" << id << "\" send=\"" << block.send << "\" recv=\"" << block.recv
        << "\" chan=\"" << channel << "\">\n";
    for (std::size_t i = 0; i < block.steps.size(); ++i) {
      const Instruction& step = block.steps[i];
      const auto offset = [&](Slice slice) {
        return step.count == 0 ? -1 : static_cast<std::int64_t>(slice.segment);
      };
      out << "      <step s=\"" << i << "\" type=\"" << step.type << "\" srcbuf=\""
          << letter(step.source.buffer) << "\" srcoff=\"" << offset(step.source) << "\" dstbuf=\""
          << letter(step.destination.buffer) << "\" dstoff=\"" << offset(step.destination)
          << "\" cnt=\"" << step.count << "\"";
      if (step.waits) {
        out << " depid=\"" << step.awaited.threadblock << "\" deps=\"" << step.awaited.step << "\"";
      } else {
        out << " depid=\"-1\" deps=\"-1\"";
      }
      out << " hasdep=\"" << (step.is_awaited ? 1 : 0) << "\"/>\n";
    }
    out << "    </tb>\n";
  }

  const Program& program_;
  std::vector<Threadblock> blocks_ = {};
  std::vector<std::size_t> block_of_ = {};  // per step
  std::vector<Place> done_at_;              // per step: the instruction that completes it
};

bool is_known(Collective collective) {
  switch (collective) {
    case Collective::allreduce:
    case Collective::allgather:
    case Collective::reduce_scatter:
    case Collective::alltoall:
    case Collective::broadcast:
    case Collective::reduce:
      return true;
    default:
      return false;
  }
}

// The recv that meets each send; per rank and step.
std::vector<std::vector<StepParts>> meetings(const Schedule& schedule, const Trace& trace) {
  std::vector<std::vector<StepParts>> met;
  for (const Program& program : schedule.programs) {
    std::vector<StepParts>& own = met.emplace_back();
    for (const Step& step : program.steps) own.emplace_back(program, step);
  }
  for (const Event& event : trace.events) {
    const Step& step = schedule.programs[event.rank].steps[event.step];
    if (step.op != StepOp::send) continue;
    const Program& receiver = schedule.programs[static_cast<std::size_t>(step.peer)];
    met[event.rank][event.step] = StepParts(receiver, receiver.steps[event.recv_step]);
  }
  return met;
}

}  // namespace

Result<std::string> to_msccl_xml(const Schedule& schedule) {
  const Plan& plan = schedule.plan;
  if (!is_known(plan.collective)) {
    return unsupported(concat("MSCCL has no ", name(plan.collective),
                              "; it runs allreduce, allgather, reduce_scatter, alltoall, broadcast "
                              "and reduce"));
  }
  if (plan.arrangement && !plan.arrangement->weights().empty()) {
    return unsupported(
        "the chunks of MSCCL have one size: segments with weights have no form there");
  }
  const Result<Trace> trace = trace_of(schedule);
  if (!trace) return trace.error();
  const auto met = meetings(schedule, trace.value());
  std::vector<Gpu> gpus;
  int channels = 1;
  for (std::size_t rank = 0; rank < schedule.programs.size(); ++rank) {
    gpus.emplace_back(schedule.programs[rank]);
    if (Result<> lowered = gpus.back().lower(met[rank]); !lowered) return lowered.error();
    channels = std::max(channels, gpus.back().channels());
  }
  const Shape& shape = schedule.programs.front().shape;
  std::ostringstream out;
  out << "<algo name=\"rondo_" << name(plan.algorithm) << "_" << name(plan.collective) << "_"
      << plan.ranks << "\" proto=\"Simple\" nchannels=\"" << channels << "\" nchunksperloop=\""
      << shape.blocks * shape.segments << "\" ngpus=\"" << plan.ranks << "\" coll=\""
      << name(plan.collective) << "\" inplace=\"0\" outofplace=\"1\">\n";
  for (const Gpu& gpu : gpus) gpu.write(out);
  out << "</algo>\n";
  return std::move(out).str();
}

}  // namespace rondo
