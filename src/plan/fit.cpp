#include "plan/fit.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <vector>

#include "base/text.hpp"
#include "check/cost_model.hpp"

namespace rondo {

namespace {

constexpr std::size_t fewest_calls = 3;
// A link that buffers takes more than any call that is measured; one that does not waits for each.
constexpr std::array<std::uint64_t, 2> windows = {0, 1 << 20};
// Factors by which constants are changed in search of better ones, from the first to the last.
constexpr double first_factor = 2;
constexpr double last_factor = 1.02;
// Of all calls, with other constants each: it bounds the time, which is part of the budget of those
// who measure. Half of them do, as a rule.
constexpr int most_evaluations = 400;
// What is smaller is nothing.
constexpr double least_time = 1e-9;
constexpr double least_byte = 1e-12;
constexpr double most_cost = 10;
// Calls tell a message's latency (or switch) and overhead together better than each by itself, and
// so with the rates. Where several pairs of them explain the times as well, the usual proportion
// decides.
constexpr double usual_overhead = 1.0 / 3;  // of the latency
constexpr double usual_processor = 1;       // of the wire
constexpr double weight_of_usual = 0.002;
// On one processor every message is followed by a switch, so that calls tell hardly anything of it.
constexpr double weight_where_shared = 1;

// What is looked for.
using Costs = FittedCosts;
struct Constant {
  double& (*of)(Costs& costs);
  double least;
};
double& overhead_byte(Costs& costs) {
  return costs.link.overhead_byte_s;
}
double& byte(Costs& costs) {
  return costs.link.byte_s;
}
double& overhead(Costs& costs) {
  return costs.link.overhead_s;
}
double& latency(Costs& costs) {
  return costs.link.latency_s;
}
double& switching(Costs& costs) {
  return costs.switch_s;
}

const std::vector<Constant> on_two_processors = {
    {overhead_byte, least_byte}, {byte, least_byte}, {overhead, least_time}, {latency, least_time}};
const std::vector<Constant> with_known_wire = {
    {overhead_byte, least_byte}, {overhead, least_time}, {latency, least_time}};
const std::vector<Constant> on_one_processor = {
    {overhead_byte, least_byte}, {overhead, least_time}, {switching, least_time}};
const std::vector<Constant> with_known_switch = {{overhead_byte, least_byte},
                                                 {overhead, least_time}};

double with_three_digits(double number) {
  std::array<char, 32> text{};
  char* const begin = text.data();
  const auto written =
      std::to_chars(begin, begin + text.size(), number, std::chars_format::scientific, 2);
  double rounded = number;
  std::from_chars(begin, written.ptr, rounded);
  return rounded;
}

struct SimulatedCall {
  Schedule schedule;
  Workload workload;
  double log_seconds = 0;
};

class Fit {
 public:
  // The links of the model cost nothing: what its wires cost comes from the ports.
  Fit(std::vector<SimulatedCall> calls, CostModel model)
      : calls_(std::move(calls)),
        model_(std::move(model)),
        known_switch_s_(model_.switch_s),
        shared_(model_.processor_of(0) == model_.processor_of(1)),
        wire_is_known_(byte_s_between(model_, 0, 1) > 0),
        constants_(shared_          ? (model_.switch_s > 0 ? with_known_switch : on_one_processor)
                   : wire_is_known_ ? with_known_wire
                                    : on_two_processors) {}

  const std::vector<Constant>& constants() const { return constants_; }

  // Half of the shortest call for the message, the rest for its bytes: near enough to search from.
  Costs first_guess(std::uint64_t window) const {
    const auto fewer_bytes = [](const SimulatedCall& a, const SimulatedCall& b) {
      return a.workload.bytes < b.workload.bytes;
    };
    const auto [least, most] = std::minmax_element(calls_.begin(), calls_.end(), fewer_bytes);
    const double small_s = std::exp(least->log_seconds);
    const double large_s = std::exp(most->log_seconds);
    const double bytes = static_cast<double>(std::max<std::uint64_t>(most->workload.bytes, 1));
    const double byte_s = std::max(large_s - small_s, small_s / 16) / bytes;
    Costs guess{{.latency_s = small_s / 2,
                 .overhead_s = usual_overhead * small_s / 2,
                 .byte_s = byte_s / 4,
                 .overhead_byte_s = usual_processor * byte_s / 4,
                 .window_bytes = window},
                known_switch_s_};
    if (wire_is_known_) guess.link.byte_s = 0;
    if (!shared_) return guess;
    if (guess.switch_s == 0) guess.switch_s = guess.link.latency_s;
    guess.link.latency_s = guess.link.byte_s = 0;
    return guess;
  }

  // One constant after the other is made larger or smaller for as long as that helps: there are
  // four at most, and the times depend on each monotonically.
  Costs improve(Costs costs, double& error) {
    error = error_of(costs);
    int evaluations = 1;
    double factor = first_factor;
    while (factor > last_factor && evaluations < most_evaluations) {
      bool better = false;
      for (const Constant& constant : constants_) {
        for (const double change : {factor, 1 / factor}) {
          ++evaluations;
          Costs changed = costs;
          constant.of(changed) = std::clamp(constant.of(costs) * change, constant.least, most_cost);
          const double changed_error = error_of(changed);
          if (changed_error >= error) continue;
          costs = changed;
          error = changed_error;
          better = true;
        }
      }
      if (!better) factor = std::sqrt(factor);
    }
    return costs;
  }

 private:
  double error_of(const Costs& costs) {
    const LinkCost& link = costs.link;
    std::fill(model_.links.begin(), model_.links.end(), link);
    model_.switch_s = costs.switch_s;
    double error = 0;
    for (const SimulatedCall& call : calls_) {
      const Result<Simulation> simulated = simulate(call.schedule, model_, call.workload);
      if (!simulated) return HUGE_VAL;
      const double off = std::log(simulated.value().seconds) - call.log_seconds;
      error += off * off;
    }
    return error + (shared_ ? weight_where_shared : weight_of_usual) * unusual(costs);
  }

  double unusual(const Costs& costs) const {
    const LinkCost& link = costs.link;
    const double turning = shared_ ? costs.switch_s : link.latency_s;
    const double overhead = std::log(link.overhead_s / (usual_overhead * turning));
    const double processor = shared_ || wire_is_known_
                                 ? 0
                                 : std::log(link.overhead_byte_s / (usual_processor * link.byte_s));
    return overhead * overhead + processor * processor;
  }

  std::vector<SimulatedCall> calls_;
  CostModel model_;
  double known_switch_s_;
  bool shared_;
  bool wire_is_known_;
  const std::vector<Constant>& constants_;
};

}  // namespace

double rounded_time(double seconds) {
  return with_three_digits(seconds);
}

double rounded_rate(double byte_s) {
  return byte_s == 0 ? 0 : 1 / with_three_digits(1 / byte_s);
}

Result<FittedCosts> fit_link(std::span<const MeasuredCall> calls, const Topology& pair,
                             const CostTable& rank) {
  if (calls.size() < fewest_calls) {
    return Error(ErrorCode::invalid_argument,
                 concat("the costs of a link are told by ", fewest_calls, " calls or more, not ",
                        calls.size()));
  }
  CostTable table = rank;
  table.links = {};
  table.links.back() = LinkCost{};
  Result<CostModel> model = make_cost_model(pair, table);
  if (!model) return model.error();
  std::vector<SimulatedCall> simulated;
  for (const MeasuredCall& call : calls) {
    if (!(call.seconds > 0)) {
      return Error(ErrorCode::invalid_argument, concat("a call took ", call.seconds, " s"));
    }
    Result<Schedule> schedule = make_schedule(call.plan);
    if (!schedule) return schedule.error();
    simulated.push_back({std::move(schedule).value(), call.workload, std::log(call.seconds)});
  }
  Fit fit(std::move(simulated), std::move(model).value());
  Costs best;
  double least_error = HUGE_VAL;
  for (const std::uint64_t window : windows) {
    double error = 0;
    const Costs costs = fit.improve(fit.first_guess(window), error);
    if (error >= least_error) continue;
    least_error = error;
    best = costs;
  }
  for (const Constant& constant : fit.constants()) {
    if (constant.of(best) <= constant.least) constant.of(best) = 0;
  }
  const LinkCost& link = best.link;
  return FittedCosts{
      {rounded_time(link.latency_s), rounded_time(link.overhead_s), rounded_rate(link.byte_s),
       rounded_rate(link.overhead_byte_s), link.window_bytes},
      rounded_time(best.switch_s)};
}

}  // namespace rondo
