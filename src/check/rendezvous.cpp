#include "check/rendezvous.hpp"

#include <algorithm>
#include <set>
#include <unordered_map>
#include <utility>

#include "base/text.hpp"
#include "schedule/runs.hpp"
#include "schedule/text.hpp"

namespace rondo {

namespace {

using LaneId = std::uint32_t;  // numbers the lanes of all ranks
constexpr LaneId nobody = UINT32_MAX;

struct Lane {
  std::uint32_t rank = 0;
  std::uint32_t next = 0;   // index of the next step in the rank's steps
  std::uint32_t begin = 0;  // of its steps
  std::uint32_t end = 0;
  bool posted = false;  // the next step has started and waits for the other side
};

// The one send or recv that has started and not met its other side; hazard-free programs never have
// two of a kind on one link.
struct Waiting {
  LaneId lane = nobody;
};

class Run {
 public:
  explicit Run(const Schedule& schedule) : schedule_(schedule) {
    for (const Program& program : schedule.programs) {
      first_lane_.push_back(static_cast<LaneId>(lanes_.size()));
      first_step_.push_back(steps_);
      std::uint32_t begin = 0;
      for (const std::uint32_t end : program.lane_end) {
        lanes_.push_back({static_cast<std::uint32_t>(program.rank), begin, begin, end});
        begin = end;
      }
      steps_ += program.steps.size();
    }
    first_lane_.push_back(static_cast<LaneId>(lanes_.size()));
    rounds_.resize(steps_);
    trace_.events.reserve(steps_);
    links_.reserve(lanes_.size());
  }

  Result<Trace> run() {
    for (LaneId lane = static_cast<LaneId>(lanes_.size()); lane > 0; --lane) {
      ready_.push_back(lane - 1);
    }
    while (!ready_.empty()) {
      const LaneId lane = ready_.back();
      ready_.pop_back();
      if (Result<> advanced = advance(lane); !advanced) return advanced.error();
    }
    for (LaneId lane = 0; lane < lanes_.size(); ++lane) {
      if (!finished(lane)) return stuck(lane);
    }
    return std::move(trace_);
  }

 private:
  const Program& program(const Lane& lane) const { return schedule_.programs[lane.rank]; }
  const Step& step(const Lane& lane) const { return program(lane).steps[lane.next]; }
  bool finished(LaneId lane) const { return lanes_[lane].next == lanes_[lane].end; }
  LaneId lane_of(std::uint32_t rank, std::uint32_t lane) const { return first_lane_[rank] + lane; }
  std::string place(LaneId lane) const { return where(program(lanes_[lane]), lanes_[lane].next); }

  // Key of the link that the step uses: sender, receiver, channel.
  static std::uint64_t link_of(std::uint32_t rank, const Step& step) {
    const auto peer = static_cast<std::uint32_t>(step.peer);
    const auto [from, to] = step.op == StepOp::send ? std::pair(rank, peer) : std::pair(peer, rank);
    return (std::uint64_t{from} << 36) ^ (std::uint64_t{to} << 8) ^ step.channel;
  }

  LaneId unfinished_wait(const Lane& lane) const {
    for (const Wait& wait : step(lane).waits) {
      if (wait.count == 0) continue;
      const LaneId other = lane_of(lane.rank, wait.lane);
      if (lanes_[other].next - lanes_[other].begin < wait.count) return other;
    }
    return nobody;
  }

  Result<> advance(LaneId id) {
    Lane& lane = lanes_[id];
    while (!finished(id) && !lane.posted && unfinished_wait(lane) == nobody) {
      const Step& next = step(lane);
      if (!next.is_message()) {
        const std::uint32_t round = rounds_before(lane);
        trace_.events.push_back({lane.rank, lane.next, 0, round});
        complete(id, round);
        continue;
      }
      Waiting& waiting = links_[link_of(lane.rank, next)];
      if (waiting.lane == nobody) {
        waiting.lane = id;
        lane.posted = true;
        return {};
      }
      const LaneId other = std::exchange(waiting.lane, nobody);
      lanes_[other].posted = false;
      const bool sends = next.op == StepOp::send;
      if (Result<> met = meet(sends ? id : other, sends ? other : id); !met) return met;
    }
    return {};
  }

  Result<> meet(LaneId sender_id, LaneId receiver_id) {
    const Lane& sender = lanes_[sender_id];
    const Lane& receiver = lanes_[receiver_id];
    const Step& send = step(sender);
    const Step& recv = step(receiver);
    const auto mismatch = [&](std::string_view what, std::uint32_t sent, std::uint32_t received) {
      return Error(ErrorCode::invalid_argument,
                   concat(place(sender_id), " meets ", place(receiver_id), ": ", what, sent,
                          " of the vector against ", received));
    };
    if (program(sender).size_class(send.about) != program(receiver).size_class(recv.about)) {
      return mismatch("segment ", send.about, recv.about);
    }
    if (send.count != recv.count) return mismatch("segments by number: ", send.count, recv.count);
    const std::uint32_t sent = before_end(program(sender), send);
    const std::uint32_t received = before_end(program(receiver), recv);
    if (sent != received) return mismatch("segments before its end by number: ", sent, received);
    const std::uint32_t round = 1 + std::max(rounds_before(sender), rounds_before(receiver));
    trace_.events.push_back({sender.rank, sender.next, receiver.next, round});
    trace_.rounds = std::max(trace_.rounds, round);
    complete(sender_id, round);
    complete(receiver_id, round);
    return {};
  }

  std::uint32_t rounds_before(const Lane& lane) const {
    const std::uint32_t* rounds = &rounds_[first_step_[lane.rank]];
    std::uint32_t before = lane.next == lane.begin ? 0 : rounds[lane.next - 1];
    for (const Wait& wait : step(lane).waits) {
      if (wait.count == 0) continue;
      const Lane& other = lanes_[lane_of(lane.rank, wait.lane)];
      before = std::max(before, rounds[other.begin + wait.count - 1]);
    }
    return before;
  }

  void complete(LaneId id, std::uint32_t round) {
    Lane& lane = lanes_[id];
    rounds_[first_step_[lane.rank] + lane.next] = round;
    ++lane.next;
    for (LaneId other = first_lane_[lane.rank]; other < first_lane_[lane.rank + 1]; ++other) {
      if (!finished(other) && !lanes_[other].posted) ready_.push_back(other);
    }
  }

  // An unfinished lane that would have to move before this one can; nobody: there is none.
  LaneId awaited(LaneId id) const {
    const Lane& lane = lanes_[id];
    if (!lane.posted) return unfinished_wait(lane);
    const std::uint64_t link = link_of(lane.rank, step(lane));
    const StepOp other_side = step(lane).op == StepOp::send ? StepOp::recv : StepOp::send;
    const auto peer = static_cast<std::uint32_t>(step(lane).peer);
    for (LaneId other = first_lane_[peer]; other < first_lane_[peer + 1]; ++other) {
      for (std::uint32_t i = lanes_[other].next; i < lanes_[other].end; ++i) {
        const Step& candidate = schedule_.programs[peer].steps[i];
        if (candidate.op == other_side && link_of(peer, candidate) == link) return other;
      }
    }
    return nobody;
  }

  Error stuck(LaneId start) const {
    for (LaneId lane = start; lane < lanes_.size(); ++lane) {
      if (finished(lane) || awaited(lane) != nobody) continue;
      const Step& alone = step(lanes_[lane]);
      return Error(ErrorCode::invalid_argument, alone.peer,
                   concat(place(lane), " meets nothing: rank ", alone.peer, " has no ",
                          alone.op == StepOp::send ? "recv" : "send", " for it"));
    }
    std::set<LaneId> seen;
    LaneId lane = start;
    while (seen.insert(lane).second) lane = awaited(lane);
    std::string text = concat("deadlock: ", place(lane));
    constexpr int longest_list = 8;
    LaneId next = awaited(lane);
    for (int i = 0; i < longest_list && next != lane; ++i, next = awaited(next)) {
      text += concat(" waits for ", place(next), ", which");
    }
    text += next == lane ? concat(" waits for ", place(lane)) : " waits for others, and so on";
    return Error(ErrorCode::invalid_argument, text + " again");
  }

  const Schedule& schedule_;
  std::vector<Lane> lanes_;
  std::vector<LaneId> first_lane_;       // per rank, and one past the last
  std::vector<std::size_t> first_step_;  // per rank, in rounds_
  std::size_t steps_ = 0;
  std::vector<std::uint32_t> rounds_;  // per step of all ranks
  std::vector<LaneId> ready_;
  std::unordered_map<std::uint64_t, Waiting> links_;
  Trace trace_;
};

}  // namespace

Result<Trace> rendezvous(const Schedule& schedule) {
  return Run(schedule).run();
}

}  // namespace rondo
