#include "plan/estimate.hpp"

#include <algorithm>
#include <numeric>

#include "check/cost_model.hpp"
#include "schedule/direct_sums.hpp"

namespace rondo {

namespace {

int rank_at(const Arrangement* order, int position) {
  return order != nullptr ? order->rank_at(position) : position;
}

// How messages leave the host of a rank, if any do.
int class_to_the_farthest(const CostModel& model, const Arrangement* order, int rank) {
  return std::max(model.class_of(rank, rank_at(order, 0)),
                  model.class_of(rank, rank_at(order, model.ranks - 1)));
}

// The first one, or -1 where no port has a rate of its own.
int rank_at_slowest_port(const CostModel& model) {
  const auto slowest = std::max_element(model.port_byte_s.begin(), model.port_byte_s.end());
  if (slowest == model.port_byte_s.end() || *slowest == 0) return -1;
  const auto port = static_cast<int>(slowest - model.port_byte_s.begin());
  const auto farthest = static_cast<int>(model.links.size()) - 1;
  for (int rank = 0; rank < model.ranks; ++rank) {
    if (model.port_of(rank, farthest) == port) return rank;
  }
  return -1;
}

// Ranks on both sides of where the links are farther than any before, and one whose port is the
// slowest.
std::vector<int> telling_ranks(const CostModel& model, const Arrangement* order) {
  constexpr int most_steps = 128;
  const auto class_after = [&](int position) {
    return model.class_of(rank_at(order, position), rank_at(order, position + 1));
  };
  std::vector<int> positions = {0, model.ranks / 2, model.ranks - 1};
  int farthest = model.ranks > 1 ? class_after(0) : 0;
  for (int next = 1; next + 1 < model.ranks && next <= most_steps; ++next) {
    if (class_after(next) <= farthest) continue;
    farthest = class_after(next);
    positions.push_back(next);
    positions.push_back(next + 1);
  }
  std::vector<int> ranks;
  for (const int position : positions) ranks.push_back(rank_at(order, position));
  if (const int slowest = rank_at_slowest_port(model); slowest >= 0) ranks.push_back(slowest);
  std::sort(ranks.begin(), ranks.end());
  ranks.erase(std::unique(ranks.begin(), ranks.end()), ranks.end());
  return ranks;
}

// Among its neighbours; who shares something lives near each other.
template <class NumberOf>
std::vector<int> sharers_of(const CostModel& model, int rank, NumberOf number_of) {
  constexpr int most_neighbours = 512;
  const int own = number_of(rank);
  std::vector<int> sharers;
  for (int other = std::max(0, rank - most_neighbours);
       other < std::min(model.ranks, rank + most_neighbours); ++other) {
    if (number_of(other) == own) sharers.push_back(other);
  }
  return sharers;
}

}  // namespace

std::vector<Teller> tellers(const CostModel& model, const Arrangement* order) {
  std::vector<Teller> all;
  for (const int rank : telling_ranks(model, order)) {
    const int farthest = class_to_the_farthest(model, order, rank);
    const auto port_of = [&](int other) { return model.port_of(other, farthest); };
    Teller teller{rank, 1, port_of(rank), sharers_of(model, rank, port_of)};
    if (model.processor_of) {
      teller.on_processor = static_cast<int>(sharers_of(model, rank, model.processor_of).size());
    }
    all.push_back(std::move(teller));
  }
  return all;
}

double least_seconds(const Plan& plan, const Theory& theory, const CostModel& model,
                     std::uint64_t bytes) {
  double latency = model.links.front().latency_s;
  double byte_s = model.links.front().byte_s;
  for (const LinkCost& link : model.links) {
    latency = std::min(latency, link.latency_s + 2 * link.overhead_s);
    byte_s = std::min(byte_s, std::max(link.byte_s, 2 * link.overhead_byte_s));
  }
  const double vectors = static_cast<double>(theory.total_sent) / theory.segments / plan.ranks;
  return model.start_s + theory.rounds * latency + vectors * static_cast<double>(bytes) * byte_s;
}

/// Sums up the steps of one program.
class Estimate::Adder {
 public:
  Adder(const Program& program, const CostModel& model, const Teller& teller)
      : program_(program), model_(model), teller_(teller) {
    burden_.on_processor = teller.on_processor;
    if (program.plan.arrangement) weigh(program.plan.arrangement->weights());
  }

  Burden sum() && {
    const double turning = teller_.on_processor > 1 ? model_.switch_s : 0;
    find_busiest_ways();
    double messages = 0;
    const std::vector<bool> again = sends_again(program_, model_);
    const std::vector<bool> direct = find_direct_sums(program_);
    for (std::size_t i = 0; i < program_.steps.size(); ++i) {
      const Step& step = program_.steps[i];
      const double part = part_of(step);
      const bool is_needless = i > 0 && !direct.empty() && direct[i - 1];
      if (step.op == StepOp::copy && !is_needless) {
        burden_.processor_byte += part * model_.copy_byte_s;
      }
      if (step.op == StepOp::reduce) {
        burden_.processor_byte += part * (step.count - 1) * model_.reduce_byte_s;
      }
      if (!step.is_message()) continue;
      ++messages;
      add_message(step, part, !again.empty() && again[i]);
      burden_.latency += turning;
      if (step.op == StepOp::recv) burden_.processor += turning;
    }
    if (messages > 0) burden_.latency /= messages;
    if (messages > 0) burden_.moving_byte /= messages;
    return std::move(burden_);
  }

 private:
  void weigh(std::span<const std::uint32_t> weights) {
    if (weights.empty()) return;
    begins_.push_back(0);
    for (const std::uint32_t weight : weights) begins_.push_back(begins_.back() + weight);
  }

  // Of the vector; of a run that a reduce makes one segment of, that one.
  double part_of(const Step& step) const {
    const double count = step.op == StepOp::reduce ? 1 : step.count;
    if (begins_.empty()) return count / program_.vector_segments();
    const auto end = std::min<std::size_t>(step.about + static_cast<std::size_t>(count),
                                           program_.vector_segments());
    return (begins_[end] - begins_[step.about]) / begins_.back();
  }

  // `again`: a send whose bytes an earlier one has moved. How long messages may be for that is left
  // to the simulation.
  void add_message(const Step& step, double part, bool again) {
    const bool sends = step.op == StepOp::send;
    const int link_class = model_.class_of(program_.rank, step.peer);
    const LinkCost& link = model_.links[static_cast<std::size_t>(link_class)];
    add_overhead(part, link.overhead_s);
    const double reducing = step.accumulates() ? part * model_.reduce_byte_s : 0;
    const double own_overhead_byte_s = again ? 0 : link.overhead_byte_s;
    burden_.processor_byte += part * own_overhead_byte_s + reducing;
    const int own = model_.port_of(program_.rank, link_class);
    const double turns = own == teller_.port ? (sends ? turns_out_ : turns_in_) : 1;
    const double own_byte_s = byte_s_at(model_, link_class, own) * turns;
    (sends ? burden_.way_out_byte : burden_.way_in_byte) += part * own_byte_s;
    burden_.latency += link.latency_s + 2 * link.overhead_s;
    const double slower = std::max(own_byte_s, byte_s_between(model_, program_.rank, step.peer));
    burden_.moving_byte +=
        part * (slower + own_overhead_byte_s + link.overhead_byte_s) + 2 * reducing;
  }

  void add_overhead(double part, double overhead_s) {
    if (!burden_.overheads.empty() && burden_.overheads.back().first == part) {
      burden_.overheads.back().second += overhead_s;
      return;
    }
    const auto known = std::find_if(burden_.overheads.begin(), burden_.overheads.end(),
                                    [&](const auto& group) { return group.first == part; });
    if (known != burden_.overheads.end()) {
      known->second += overhead_s;
      std::iter_swap(known, burden_.overheads.end() - 1);
    } else {
      burden_.overheads.emplace_back(part, overhead_s);
    }
  }

  // Those who leave the host through the same port may have nobody to send to elsewhere, as all but
  // one of a ring. So the links of the plan are counted that lead from them to where the longest
  // message of this rank goes, and held against this rank's own.
  void find_busiest_ways() {
    if (teller_.sharers.size() < 2) return;
    const Step* longest_out = nullptr;
    const Step* longest_in = nullptr;
    for (const Step& step : program_.steps) {
      if (!step.is_message()) continue;
      const Step*& longest = step.op == StepOp::send ? longest_out : longest_in;
      if (longest != nullptr && step.count <= longest->count) continue;
      const int link_class = model_.class_of(program_.rank, step.peer);
      if (model_.port_of(program_.rank, link_class) == teller_.port) longest = &step;
    }
    if (longest_out != nullptr) turns_out_ = turns(longest_out->peer, true);
    if (longest_in != nullptr) turns_in_ = turns(longest_in->peer, false);
  }

  double turns(int peer, bool out) const {
    const int distance = peer - program_.rank;
    double all = 0;
    double own = 0;
    for (const int sharer : teller_.sharers) {
      for (const int image : teller_.sharers) {
        const int other = image + distance;  // lives beside the peer
        if (other < 0 || other >= model_.ranks || !leaves_host(sharer, other)) continue;
        const double links = links_between(out ? sharer : other, out ? other : sharer);
        all += links;
        own += sharer == program_.rank ? links : 0;
      }
    }
    return own > 0 ? all / own : 1;
  }

  bool leaves_host(int sharer, int other) const {
    return sharer != other &&
           model_.port_of(sharer, model_.class_of(sharer, other)) == teller_.port;
  }

  double links_between(int from, int to) const {
    const Plan& plan = program_.plan;
    double links = 0;
    for (int channel = 0; channel < std::max(plan.channels, 2); ++channel) {
      links += is_planned_link(plan, from, to, channel) ? 1 : 0;
    }
    return links;
  }

  const Program& program_;
  const CostModel& model_;
  const Teller& teller_;
  std::vector<double> begins_;  // of segments, by weight; empty where they are equal
  double turns_out_ = 1;
  double turns_in_ = 1;
  Burden burden_;
};

Result<Estimate> Estimate::make(const Plan& plan, const Theory& theory, const CostModel& model,
                                const std::vector<Teller>& tellers) {
  Estimate made;
  made.start_s_ = model.start_s;
  made.rounds_ = theory.rounds;
  made.longest_segment_ = 1.0 / theory.segments;
  if (plan.arrangement && !plan.arrangement->weights().empty()) {
    const auto weights = plan.arrangement->weights();
    const double total = std::accumulate(weights.begin(), weights.end(), 0.0);
    made.longest_segment_ = *std::max_element(weights.begin(), weights.end()) / total;
  }
  for (const Teller& teller : tellers) {
    const Result<Program> program = make_program(plan, teller.rank);
    if (!program) return program.error();
    made.burdens_.push_back(Adder(program.value(), model, teller).sum());
  }
  return made;
}

double Estimate::seconds(std::uint64_t bytes, std::size_t tile_bytes) const {
  const auto vector = static_cast<double>(bytes);
  const auto tile = static_cast<double>(tile_bytes);
  double longest = 0;
  for (const Burden& burden : burdens_) {
    double processor = burden.processor + vector * burden.processor_byte;
    for (const auto& [part, overhead_s] : burden.overheads) {
      processor += overhead_s * (tile_bytes == 0 ? 1 : std::max(1.0, part * vector / tile));
    }
    const double busy = std::max({vector * burden.way_out_byte, vector * burden.way_in_byte,
                                  processor * burden.on_processor});
    const double moving = rounds_ * vector * burden.moving_byte;
    double time = rounds_ * burden.latency;
    if (tile_bytes == 0) {
      time += std::max(busy, moving);
    } else {
      const double segment = std::max(1.0, vector * longest_segment_);
      time += busy + std::min(1.0, tile / segment) * moving;
    }
    longest = std::max(longest, time);
  }
  return start_s_ + longest;
}

}  // namespace rondo
