#include "plan/estimate.hpp"

#include <algorithm>
#include <vector>

#include "check/cost_model.hpp"
#include "check/step_bytes.hpp"
#include "check/theory.hpp"
#include "schedule/layout.hpp"

namespace rondo {

namespace {

// What one rank does in a call, in seconds.
struct Burden {
  double latency = 0;  // of its messages, a + 2o, on average
  double moving = 0;   // the bytes of its messages from end to end, on average
  double processor = 0;
  double way_out = 0;
  double way_in = 0;
};

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

// Ranks on both sides of where the class of links changes, as far as that happens near the ends of
// the world, and one whose port is the slowest.
std::vector<int> telling_ranks(const CostModel& model) {
  constexpr int most_steps = 64;
  std::vector<int> ranks = {0, model.ranks / 2, model.ranks - 1};
  for (int rank = 1; rank + 1 < model.ranks && rank <= most_steps; ++rank) {
    if (model.class_of(rank, rank + 1) == model.class_of(rank - 1, rank)) continue;
    ranks.push_back(rank);
    ranks.push_back(std::min(rank + 1, model.ranks - 1));
    break;
  }
  if (const int slowest = rank_at_slowest_port(model); slowest >= 0) ranks.push_back(slowest);
  std::sort(ranks.begin(), ranks.end());
  ranks.erase(std::unique(ranks.begin(), ranks.end()), ranks.end());
  return ranks;
}

// Ranks that share something with this one take turns with it.
template <class NumberOf>
int sharers_of(const CostModel& model, int rank, NumberOf number_of) {
  constexpr int most_neighbours = 512;
  const int from = std::max(0, rank - most_neighbours);
  const int to = std::min(model.ranks, rank + most_neighbours);
  const int own = number_of(rank);
  int sharers = 0;
  for (int other = from; other < to; ++other) sharers += number_of(other) == own;
  return sharers;
}

Burden burden_of(const Program& program, const CostModel& model, const Layout& layout,
                 std::size_t tile_bytes) {
  Burden burden;
  double messages = 0;
  std::vector<int> sharers(model.links.size(), 0);
  const int on_processor =
      model.processor_of ? sharers_of(model, program.rank, model.processor_of) : 1;
  const double turning = on_processor > 1 ? model.switch_s : 0;
  for (const Step& step : program.steps) {
    const auto bytes = static_cast<double>(step_bytes(step, program.vector_segments(), layout, 1));
    if (step.op == StepOp::copy) burden.processor += bytes * model.copy_byte_s;
    if (step.op == StepOp::reduce) {
      burden.processor += bytes * (step.count - 1) * model.reduce_byte_s;
    }
    if (!step.is_message()) continue;
    const auto link_class = static_cast<std::size_t>(model.class_of(program.rank, step.peer));
    const LinkCost& link = model.links[link_class];
    int& sharing = sharers[link_class];
    if (sharing == 0) {
      sharing = sharers_of(model, program.rank, [&](int rank) {
        return model.port_of(rank, static_cast<int>(link_class));
      });
    }
    const double pieces =
        tile_bytes == 0 ? 1 : std::max(1.0, bytes / static_cast<double>(tile_bytes));
    burden.processor += pieces * link.overhead_s + bytes * link.overhead_byte_s;
    if (step.op == StepOp::recv) burden.processor += turning;
    const double reducing = step.accumulates() ? bytes * model.reduce_byte_s : 0;
    burden.processor += reducing;
    const int own = model.port_of(program.rank, static_cast<int>(link_class));
    const double own_byte_s = byte_s_at(model, static_cast<int>(link_class), own) * sharing;
    (step.op == StepOp::send ? burden.way_out : burden.way_in) += bytes * own_byte_s;
    burden.latency += link.latency_s + 2 * link.overhead_s + turning;
    const double slower = std::max(own_byte_s, byte_s_between(model, program.rank, step.peer));
    burden.moving += bytes * (slower + 2 * link.overhead_byte_s) + 2 * reducing;
    ++messages;
  }
  if (messages > 0) burden.latency /= messages;
  if (messages > 0) burden.moving /= messages;
  burden.processor *= on_processor;
  return burden;
}

}  // namespace

Result<Estimate> Estimate::make(const Plan& plan, const CostModel& model) {
  Estimate made(model);
  made.rounds_ = theory(plan).rounds;
  for (const int rank : telling_ranks(model)) {
    Result<Program> program = make_program(plan, rank);
    if (!program) return program.error();
    made.programs_.push_back(std::move(program).value());
  }
  return made;
}

double Estimate::seconds(std::uint64_t bytes, std::size_t tile_bytes) const {
  double longest = 0;
  for (const Program& program : programs_) {
    const Shape& shape = program.shape;
    const Layout layout = Layout::of(program.plan, shape, bytes / shape.blocks);
    const Burden burden = burden_of(program, *model_, layout, tile_bytes);
    const double busy = std::max({burden.way_out, burden.way_in, burden.processor});
    const double moving = rounds_ * burden.moving;
    double time = rounds_ * burden.latency;
    if (tile_bytes == 0) {
      time += std::max(busy, moving);
    } else {
      const auto tile = static_cast<double>(tile_bytes);
      const auto segment = static_cast<double>(std::max<std::size_t>(layout.longest(), 1));
      time += busy + std::min(1.0, tile / segment) * moving;
    }
    longest = std::max(longest, time);
  }
  return model_->start_s + longest;
}

}  // namespace rondo
