#include "plan/estimates.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace rondo {

std::int64_t in_picoseconds(double seconds) {
  constexpr double longest = 1e6;  // twice that is within 64 bits, too
  return static_cast<std::int64_t>(std::llround(std::min(seconds, longest) * 1e12));
}

Estimates::Estimates(const Site& site, const CostModel& model)
    : model_(&model), orders_{{nullptr}, {site.near}, {site.weighted}} {}

std::size_t Estimates::place_of(const Plan& plan) {
  const auto same = [&](const Known& known) { return known.plan == plan; };
  const auto found = std::find_if(known_.begin(), known_.end(), same);
  const auto place = static_cast<std::size_t>(found - known_.begin());
  if (found == known_.end()) known_.push_back({plan, theory(plan)});
  return place;
}

Result<> Estimates::make_estimate(Known& known) {
  if (known.estimate) return {};
  const auto order = std::find_if(orders_.begin(), orders_.end(), [&](const Order& one) {
    return one.arrangement == known.plan.arrangement;
  });
  if (order->tellers.empty()) order->tellers = tellers(*model_, order->arrangement.get());
  Result<Estimate> made = Estimate::make(known.plan, known.theory, *model_, order->tellers);
  if (!made) return made.error();
  known.estimate = std::move(made).value();
  return {};
}

Result<std::vector<Prediction>> Estimates::of(const std::vector<Candidate>& all,
                                              std::uint64_t bytes, double worth) {
  struct Bound {
    std::size_t known;
    std::size_t candidate;
    double seconds;
  };
  std::vector<Bound> bounds;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const bool again = i > 0 && all[i].plan == all[i - 1].plan;  // in other tiles
    const std::size_t place = again ? bounds.back().known : place_of(all[i].plan);
    const Known& known = known_[place];
    bounds.push_back({place, i, least_seconds(known.plan, known.theory, *model_, bytes)});
  }
  std::stable_sort(bounds.begin(), bounds.end(),
                   [](const Bound& a, const Bound& b) { return a.seconds < b.seconds; });
  double shortest = std::numeric_limits<double>::infinity();
  std::vector<std::optional<double>> seconds(all.size());
  for (const Bound& bound : bounds) {
    if (bound.seconds > worth * shortest) break;
    Known& known = known_[bound.known];
    if (Result<> made = make_estimate(known); !made) return made.error();
    const double time = known.estimate->seconds(bytes, all[bound.candidate].tile_bytes);
    seconds[bound.candidate] = time;
    shortest = std::min(shortest, time);
  }
  std::vector<Prediction> predictions;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (seconds[i]) predictions.push_back({all[i], in_picoseconds(*seconds[i])});
  }
  return predictions;
}

}  // namespace rondo
