#include "plan/fit.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

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
constexpr int most_sweeps = 60;
// What is smaller is nothing.
constexpr double least_time = 1e-9;
constexpr double least_byte = 1e-12;
constexpr double most_cost = 10;

struct Constant {
  double LinkCost::*place;
  double least;
};
constexpr std::array<Constant, 4> constants = {{{&LinkCost::overhead_byte_s, least_byte},
                                                {&LinkCost::byte_s, least_byte},
                                                {&LinkCost::overhead_s, least_time},
                                                {&LinkCost::latency_s, least_time}}};

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
  // Where the wire is known, it is not searched for.
  Fit(std::vector<SimulatedCall> calls, CostModel model, bool wire_is_known)
      : calls_(std::move(calls)), model_(std::move(model)), wire_is_known_(wire_is_known) {}

  // One constant after the other is made larger or smaller for as long as that helps: there are
  // four, and the times depend on each monotonically.
  LinkCost improve(LinkCost link, double& error) {
    error = error_of(link);
    double factor = first_factor;
    for (int sweep = 0; sweep < most_sweeps && factor > last_factor; ++sweep) {
      bool better = false;
      for (const auto& [place, least] : constants) {
        if (wire_is_known_ && place == &LinkCost::byte_s) continue;
        for (const double change : {factor, 1 / factor}) {
          LinkCost changed = link;
          changed.*place = std::clamp(link.*place * change, least, most_cost);
          const double changed_error = error_of(changed);
          if (changed_error >= error) continue;
          link = changed;
          error = changed_error;
          better = true;
        }
      }
      if (!better) factor = std::sqrt(factor);
    }
    return link;
  }

 private:
  double error_of(const LinkCost& link) {
    std::fill(model_.links.begin(), model_.links.end(), link);
    double error = 0;
    for (const SimulatedCall& call : calls_) {
      const Result<Simulation> simulated = simulate(call.schedule, model_, call.workload);
      if (!simulated) return HUGE_VAL;
      const double off = std::log(simulated.value().seconds) - call.log_seconds;
      error += off * off;
    }
    return error;
  }

  std::vector<SimulatedCall> calls_;
  CostModel model_;
  bool wire_is_known_;
};

// Half of the shortest call for the message, the rest for its bytes: near enough to search from.
LinkCost first_guess(std::span<const MeasuredCall> calls) {
  const auto fewer_bytes = [](const MeasuredCall& a, const MeasuredCall& b) {
    return a.workload.bytes < b.workload.bytes;
  };
  const auto [small, large] = std::minmax_element(calls.begin(), calls.end(), fewer_bytes);
  const double bytes = static_cast<double>(std::max<std::uint64_t>(large->workload.bytes, 1));
  const double byte_s = std::max(large->seconds - small->seconds, small->seconds / 16) / bytes;
  return {.latency_s = small->seconds / 2,
          .overhead_s = small->seconds / 6,
          .byte_s = byte_s / 4,
          .overhead_byte_s = byte_s / 4};
}

}  // namespace

double rounded_time(double seconds) {
  return with_three_digits(seconds);
}

double rounded_rate(double byte_s) {
  return byte_s == 0 ? 0 : 1 / with_three_digits(1 / byte_s);
}

Result<LinkCost> fit_link(std::span<const MeasuredCall> calls, const Topology& pair,
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
  // The links above cost nothing: what there is comes from the ports.
  const bool wire_is_known = byte_s_between(model.value(), 0, 1) > 0;
  Fit fit(std::move(simulated), std::move(model).value(), wire_is_known);
  LinkCost best;
  double least_error = HUGE_VAL;
  for (const std::uint64_t window : windows) {
    LinkCost link = first_guess(calls);
    if (wire_is_known) link.byte_s = 0;
    link.window_bytes = window;
    double error = 0;
    link = fit.improve(link, error);
    if (error >= least_error) continue;
    least_error = error;
    best = link;
  }
  for (const auto& [place, least] : constants) {
    if (best.*place <= least) best.*place = 0;
  }
  return LinkCost{rounded_time(best.latency_s), rounded_time(best.overhead_s),
                  rounded_rate(best.byte_s), rounded_rate(best.overhead_byte_s), best.window_bytes};
}

}  // namespace rondo
