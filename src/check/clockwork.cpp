#include "check/clockwork.hpp"

#include <algorithm>
#include <cmath>
#include <queue>
#include <unordered_map>
#include <utility>

#include "base/text.hpp"
#include "check/cost_model.hpp"
#include "schedule/direct_sums.hpp"

namespace rondo {

namespace {

using Time = std::int64_t;  // picoseconds
using LaneId = std::uint32_t;
using WireId = std::uint32_t;
constexpr std::uint32_t nobody = UINT32_MAX;
constexpr double picoseconds = 1e12;
// About 26 days. Times stop here, so that sums of them stay within 64 bits.
constexpr Time eternity = Time{1} << 61;

// What an event touches lies in one place: large worlds spend their time waiting for memory.
struct Lane {
  const Step* step = nullptr;  // the next one
  std::uint32_t rank = 0;
  std::uint32_t next = 0;  // its index in the rank's steps
  std::uint32_t begin = 0;
  std::uint32_t end = 0;
  std::uint32_t first = 0;      // index of the rank's first step in those of all ranks
  std::uint32_t wire = nobody;  // of the next step
  std::uint32_t tile = 0;
  std::uint32_t window = 0;  // its first tile
  bool busy = false;         // the next step has started
};

struct Wire {
  std::uint32_t sender = 0;    // rank
  std::uint32_t receiver = 0;  // rank
  std::uint32_t cost = 0;      // index in the costs
  std::uint32_t port_out = 0;  // of the sender
  std::uint32_t port_in = 0;   // of the receiver
  double byte_out = 0;         // in picoseconds, at these ports
  double byte_in = 0;
  PathId path = 0;                  // where messages share links
  LaneId leaving = nobody;          // whose message shares links now
  LaneId sending = nobody;          // has started a send that has not left
  LaneId receiving = nobody;        // has started a recv that takes nothing yet
  std::uint32_t under_way = 0;      // messages that left and whose recv is not done
  std::uint32_t arrived = 0;        // messages that no recv has taken
  std::uint64_t window_in_use = 0;  // bytes of those under way
};

struct Processor {
  Time free = 0;                 // from when on
  std::uint32_t owner = nobody;  // rank that used it last
};

// Constants in picoseconds.
struct Cost {
  Time latency = 0;
  Time overhead = 0;
  double overhead_byte = 0;
  std::uint64_t window = 0;
  std::uint64_t published = 0;
};

struct Event {
  enum class Kind : std::uint8_t { lane_done, message_arrived, message_leaves };
  Time time = 0;
  Kind kind = Kind::lane_done;
  std::uint32_t id = 0;  // of the lane or link

  // For a queue that has the greatest on top.
  friend bool operator<(const Event& a, const Event& b) {
    if (a.time != b.time) return a.time > b.time;
    return a.kind != b.kind ? a.kind > b.kind : a.id > b.id;
  }
};

Time scaled(std::uint64_t bytes, double rate) {
  constexpr auto most = static_cast<double>(eternity);
  return static_cast<Time>(std::llround(std::min(static_cast<double>(bytes) * rate, most)));
}

Time capped(Time time) {
  return std::min(time, eternity);
}

class Clockwork {
 public:
  Clockwork(const FoldedWorld& world, const CostModel& model, Flows* flows, const Tiling& tiling,
            bool record)
      : world_(world), model_(model), flows_(flows), tiling_(tiling), record_(record) {
    if (flows_ != nullptr) flows_->begin(static_cast<int>(world.programs.size()));
    place_lanes();
    place_wires();
    place_processors();
    reduce_byte_ = model.reduce_byte_s * picoseconds;
    copy_byte_ = model.copy_byte_s * picoseconds;
    switch_ = std::llround(model.switch_s * picoseconds);
    for (const LinkCost& link : model.links) {
      costs_.push_back(
          {std::llround(link.latency_s * picoseconds), std::llround(link.overhead_s * picoseconds),
           link.overhead_byte_s * picoseconds, link.window_bytes, link.published_bytes});
    }
    if (record) times_.resize(wire_of_step_.size());
  }

  Result<Elapsed> run() {
    start_all();
    Time now = 0;
    for (;;) {
      if (now >= eternity) {
        return Error(ErrorCode::invalid_argument,
                     "the call takes longer than 26 days on this machine: it is not simulated");
      }
      const bool moves_on = events_.empty() || events_.top().time > now;
      if (flows_ != nullptr && moves_on) flows_->settle(now);
      const Time left = flows_ != nullptr ? flows_->next_end() : Flows::never;
      if (!events_.empty() && events_.top().time <= left) {
        const Event event = events_.top();
        events_.pop();
        prefetch_next();
        now = event.time;
        handle(event);
      } else if (left != Flows::never) {
        now = left;
        end_flows(now);
      } else {
        break;
      }
    }
    if (flows_ != nullptr) flows_->finish(now);
    for (const Lane& lane : lanes_) {
      if (lane.next == lane.end) continue;
      return Error(ErrorCode::invalid_argument,
                   concat("the schedule does not come to its end: rank ", lane.rank,
                          " waits for ever; 'rondo verify' says why"));
    }
    return Elapsed{now, std::move(times_)};
  }

 private:
  // The first lanes of all ranks, then the second ones, and so on: with all lanes of a rank at
  // once, the first rank would take the ports of all its peers before the others take any.
  void start_all() {
    bool more = true;
    for (LaneId number = 0; more; ++number) {
      more = false;
      for (std::size_t rank = 0; rank < world_.programs.size(); ++rank) {
        const LaneId lane = first_lane_[rank] + number;
        if (lane >= first_lane_[rank + 1]) continue;
        try_start(lane, 0);
        more = true;
      }
    }
  }

  // Where thousands of ranks take turns, what the next event needs is not in the cache.
  void prefetch_next() const {
    if (events_.empty()) return;
    const Event& next = events_.top();
    if (next.kind == Event::Kind::lane_done) {
      __builtin_prefetch(&lanes_[next.id]);
    } else {
      __builtin_prefetch(&wires_[next.id]);
    }
  }

  std::uint32_t image(int rank) const {
    return static_cast<std::uint32_t>(rank) % static_cast<std::uint32_t>(world_.programs.size());
  }
  static const Step& step(const Lane& lane) { return *lane.step; }
  static std::size_t step_id(const Lane& lane) { return std::size_t{lane.first} + lane.next; }

  void handle(const Event& event) {
    switch (event.kind) {
      case Event::Kind::lane_done:
        return complete(event.id, event.time);
      case Event::Kind::message_arrived:
        ++wires_[event.id].arrived;
        return take(event.id, event.time);
      case Event::Kind::message_leaves:
        flows_->start(wires_[event.id].path, bytes_of(lanes_[wires_[event.id].leaving]), event.id,
                      event.time);
        return end_flows(event.time);
    }
  }

  // Messages whose last byte leaves now.
  void end_flows(Time now) {
    for (WireId id = 0; flows_->take_ended(now, id);) {
      events_.push({now, Event::Kind::lane_done, std::exchange(wires_[id].leaving, nobody)});
      events_.push(
          {capped(now + costs_[wires_[id].cost].latency), Event::Kind::message_arrived, id});
    }
  }

  void place_lanes() {
    std::size_t steps = 0;
    for (std::uint32_t rank = 0; rank < world_.programs.size(); ++rank) {
      const Program& program = world_.programs[rank];
      first_lane_.push_back(static_cast<LaneId>(lanes_.size()));
      std::uint32_t begin = 0;
      for (const std::uint32_t end : program.lane_end) {
        lanes_.push_back({.step = &program.steps[begin],
                          .rank = rank,
                          .next = begin,
                          .begin = begin,
                          .end = end,
                          .first = static_cast<std::uint32_t>(steps)});
        begin = end;
      }
      steps += program.steps.size();
      const std::vector<bool> again = sends_again(program, model_);
      sends_again_.insert(sends_again_.end(), again.begin(), again.end());
      if (tiling_.tiles > 1) continue;
      const std::vector<bool> direct = find_direct_sums(program);
      if (direct.empty()) continue;
      is_direct_sum_.resize(steps - program.steps.size(), false);
      is_direct_sum_.insert(is_direct_sum_.end(), direct.begin(), direct.end());
    }
    first_lane_.push_back(static_cast<LaneId>(lanes_.size()));
    wire_of_step_.resize(steps, nobody);
  }

  void place_processors() {
    std::unordered_map<int, std::uint32_t> known;
    for (std::uint32_t rank = 0; rank < world_.programs.size(); ++rank) {
      const int own = static_cast<int>(rank);
      const int name = model_.processor_of ? model_.processor_of(own) : own;
      const auto next = static_cast<std::uint32_t>(known.size());
      processor_of_.push_back(known.try_emplace(name, next).first->second);
    }
    processors_.resize(known.size());
  }

  // In a folded world the links of all images of a sender are one link: it is named by the sender's
  // image, the distance to the receiver, and the channel.
  void place_wires() {
    std::unordered_map<std::uint64_t, WireId> known;
    std::unordered_map<int, std::uint32_t> ports;
    for (Lane& lane : lanes_) {
      const int rank = static_cast<int>(lane.rank);
      for (std::uint32_t i = lane.begin; i < lane.end; ++i) {
        const Step& step = world_.programs[lane.rank].steps[i];
        if (step.peer < 0) continue;
        const bool sends = step.op == StepOp::send;
        const int from = sends ? rank : step.peer;
        const int to = sends ? step.peer : rank;
        const int distance = (to - from + world_.ranks) % world_.ranks;
        const std::uint64_t key = (std::uint64_t{image(from)} << 36) ^
                                  (static_cast<std::uint64_t>(distance) << 8) ^ step.channel;
        const auto [place, is_new] = known.try_emplace(key, static_cast<WireId>(wires_.size()));
        if (is_new) wires_.push_back(make_wire(from, to, ports));
        wire_of_step_[lane.first + i] = place->second;
      }
      lane.wire = wire_of_step_[step_id(lane)];
    }
    ways_out_.resize(ports.size());
    ways_in_.resize(ports.size());
  }

  // `ports` numbers those in use, by the numbers that the model gives them.
  Wire make_wire(int from, int to, std::unordered_map<int, std::uint32_t>& ports) const {
    const int link_class = model_.class_of(from, to);
    const int out = model_.port_of(static_cast<int>(image(from)), link_class);
    const int in = model_.port_of(static_cast<int>(image(to)), link_class);
    const auto number = [&](int port) {
      return ports.try_emplace(port, static_cast<std::uint32_t>(ports.size())).first->second;
    };
    return {.sender = image(from),
            .receiver = image(to),
            .cost = static_cast<std::uint32_t>(link_class),
            .port_out = number(out),
            .port_in = number(in),
            .byte_out = byte_s_at(model_, link_class, out) * picoseconds,
            .byte_in = byte_s_at(model_, link_class, in) * picoseconds,
            .path = flows_ != nullptr ? flows_->path(from, to) : 0};
  }

  bool may_start(const Lane& lane) const {
    for (const Wait& wait : step(lane).waits) {
      if (wait.count == 0) continue;
      const Lane& other = lanes_[first_lane_[lane.rank] + wait.lane];
      if (other.window > lane.window) continue;
      const std::uint32_t done = other.next - other.begin;
      const std::uint32_t needed = wait.count - 1u;
      const bool is_done = done > needed || (done == needed && other.tile > lane.tile);
      if (other.window < lane.window || !is_done) return false;
    }
    return true;
  }

  void try_start(LaneId id, Time now) {
    Lane& lane = lanes_[id];
    if (lane.busy || lane.next == lane.end || !may_start(lane)) return;
    lane.busy = true;
    if (record_ && lane.tile == 0) {
      times_[step_id(lane)].begin_s = static_cast<double>(now) / picoseconds;
    }
    const Step& next = step(lane);
    const WireId wire = lane.wire;
    if (!has_work(lane)) {
      events_.push({now, Event::Kind::lane_done, id});
    } else if (next.op == StepOp::send) {
      wires_[wire].sending = id;
      launch(wire, now);
    } else if (next.op == StepOp::recv) {
      wires_[wire].receiving = id;
      launch(wire, now);
      take(wire, now);
    } else {
      events_.push({use_processor(lane.rank, now, local_work(lane)), Event::Kind::lane_done, id});
    }
  }

  // As in execution, tiles that a segment does not have are not sent.
  bool has_work(const Lane& lane) const {
    return lane.tile == 0 || !step(lane).is_message() || bytes_of(lane) > 0;
  }

  // Lets the send that has started leave, if there is one and there is room for it.
  void launch(WireId id, Time now) {
    Wire& wire = wires_[id];
    if (wire.sending == nobody) return;
    const std::uint64_t bytes = bytes_of(lanes_[wire.sending]);
    const Cost& cost = costs_[wire.cost];
    const bool fits = cost.window > 0 && wire.window_in_use + bytes <= cost.window;
    const bool meets = wire.under_way == 0 && wire.receiving != nobody;
    if (!fits && !meets) return;
    const Lane& sender = lanes_[wire.sending];
    const std::uint64_t written = is_written(sender, cost, bytes) ? 0 : bytes;
    const Time ready = use_processor(wire.sender, now, handling(cost, sender, written));
    ++wire.under_way;
    wire.window_in_use += bytes;
    if (flows_ != nullptr) {
      wire.leaving = std::exchange(wire.sending, nobody);
      events_.push({ready, Event::Kind::message_leaves, id});
      return;
    }
    Time& way_out = ways_out_[wire.port_out];
    Time& way_in = ways_in_[wire.port_in];
    const Time begin = std::max({ready, way_out, way_in - cost.latency});
    way_out = capped(begin + scaled(bytes, wire.byte_out));
    way_in = capped(begin + cost.latency + scaled(bytes, wire.byte_in));
    // The faster port has time for others meanwhile.
    const Time left = std::max(way_out, way_in - cost.latency);
    events_.push({left, Event::Kind::lane_done, wire.sending});
    events_.push({capped(left + cost.latency), Event::Kind::message_arrived, id});
    wire.sending = nobody;
  }

  // An earlier send of the publication has moved the bytes.
  bool is_written(const Lane& sender, const Cost& cost, std::uint64_t bytes) const {
    return cost.published > 0 && bytes <= cost.published && sends_again_[step_id(sender)];
  }

  // Lets the recv that has started take the first message that has arrived, if there are both.
  void take(WireId id, Time now) {
    Wire& wire = wires_[id];
    if (wire.receiving == nobody || wire.arrived == 0) return;
    --wire.arrived;
    const LaneId lane = std::exchange(wire.receiving, nobody);
    const std::uint64_t bytes = bytes_of(lanes_[lane]);
    const Cost& cost = costs_[wire.cost];
    Time work = handling(cost, lanes_[lane], bytes);
    if (step(lanes_[lane]).accumulates()) work += scaled(bytes, reduce_byte_);
    events_.push({use_processor(wire.receiver, now, work), Event::Kind::lane_done, lane});
  }

  void complete(LaneId id, Time now) {
    Lane& lane = lanes_[id];
    if (step(lane).op == StepOp::recv && has_work(lane)) {
      const WireId wire = lane.wire;
      --wires_[wire].under_way;
      wires_[wire].window_in_use -= bytes_of(lane);
      launch(wire, now);
    }
    lane.busy = false;
    if (++lane.tile >= std::min(lane.window + tiling_.window_tiles, tiling_.tiles)) {
      end_step(id, now);
    }
    for (LaneId other = first_lane_[lane.rank]; other < first_lane_[lane.rank + 1]; ++other) {
      try_start(other, now);
    }
  }

  // The tiles of a window have gone through a step.
  void end_step(LaneId id, Time now) {
    Lane& lane = lanes_[id];
    const std::uint32_t end = std::exchange(lane.tile, lane.window);
    const bool is_last = end == tiling_.tiles;
    if (record_ && is_last) note_end(id, now);
    ++lane.next;
    ++lane.step;
    if (lane.next == lane.end && !is_last) {
      lane.step -= lane.end - lane.begin;
      lane.next = lane.begin;
      lane.tile = lane.window = end;
    }
    if (lane.next < lane.end) lane.wire = wire_of_step_[step_id(lane)];
  }

  void note_end(LaneId id, Time now) {
    const Lane& lane = lanes_[id];
    StepTime& time = times_[step_id(lane)];
    time.rank = lane.rank;
    time.lane = id - first_lane_[lane.rank];
    time.step = lane.next - lane.begin;
    time.end_s = static_cast<double>(now) / picoseconds;
  }

  // When the rank's processor is done with work that is asked for now.
  Time use_processor(std::uint32_t rank, Time now, Time work) {
    if (work == 0) return now;
    Processor& processor = processors_[processor_of_[rank]];
    const std::uint32_t before = std::exchange(processor.owner, rank);
    const bool turns = before != rank && before != nobody;
    processor.free = capped(std::max(processor.free, now) + work + (turns ? switch_ : 0));
    return processor.free;
  }

  Time local_work(const Lane& lane) const {
    const Step& local = step(lane);
    const std::uint64_t bytes = bytes_of(lane);
    if (local.op == StepOp::copy) {
      const std::size_t before = step_id(lane) - 1;
      const bool is_needless =
          lane.next > lane.begin && before < is_direct_sum_.size() && is_direct_sum_[before];
      return is_needless ? 0 : scaled(bytes, copy_byte_);
    }
    return scaled(bytes * (local.count - 1), reduce_byte_);
  }

  // A run of segments travels whole, unless it is cut into tiles: then segment by segment. One that
  // goes round the end of the vector counts once, though the executor makes two messages of it: so
  // ranks are alike that do the same from different segments on.
  Time handling(const Cost& cost, const Lane& lane, std::uint64_t bytes) const {
    const std::uint64_t messages = tiling_.tiles == 1 ? 1 : step(lane).count;
    const Time overheads =
        messages == 1 ? cost.overhead : scaled(messages, static_cast<double>(cost.overhead));
    return capped(overheads + scaled(bytes, cost.overhead_byte));
  }

  std::uint64_t bytes_of(const Lane& lane) const { return tiling_.bytes(step(lane), lane.tile); }

  const FoldedWorld& world_;
  const CostModel& model_;
  Flows* const flows_;
  const Tiling& tiling_;
  const bool record_;
  double reduce_byte_ = 0;
  double copy_byte_ = 0;
  Time switch_ = 0;
  std::vector<Cost> costs_;
  std::vector<Lane> lanes_;
  std::vector<LaneId> first_lane_;  // per rank, and one past the last
  std::vector<WireId> wire_of_step_;
  std::vector<bool> sends_again_;    // by step of all ranks; empty where nothing is published
  std::vector<bool> is_direct_sum_;  // by step of all ranks, up to the last one
  std::vector<Wire> wires_;
  std::vector<Time> ways_out_;  // by port in use: when it is free
  std::vector<Time> ways_in_;
  std::vector<Processor> processors_;
  std::vector<std::uint32_t> processor_of_;  // by rank
  std::priority_queue<Event> events_;
  std::vector<StepTime> times_;
};

}  // namespace

Result<Elapsed> run_clockwork(const FoldedWorld& world, const CostModel& model, Flows* flows,
                              const Tiling& tiling, bool record) {
  return Clockwork(world, model, flows, tiling, record).run();
}

}  // namespace rondo
