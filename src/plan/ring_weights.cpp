// Segments for rings of unequal links.
//
// In time T link i carries T·rates[i]; so segments i and i + 1 must save the rest of 2n:
//
//     S_i + S_{i+1} >= need_i = 2n - T·rates[i],     sum of S = n.
//
// For a given T the least sum of such segments is found with one number: given S_0, it costs
// nothing to cover each link by the segment behind it, which also helps the next link. The sum is
// convex in S_0. Times grow feasible with T, so bisection finds the shortest.

#include <algorithm>
#include <cmath>

#include "base/invariant.hpp"
#include "plan/arrange.hpp"

namespace rondo {

namespace {

constexpr int bisections = 60;
constexpr double scale = 1 << 20;  // the weights add up to about this many
// Of longer rings the search would take seconds, and one slow link takes little from each.
constexpr std::size_t most_links = 4096;

using Segments = std::vector<double>;  // of a vector of length 1

class Cover {
 public:
  Cover(std::span<const double> rates, double time) {
    for (const double rate : rates) need_.push_back(std::max(0.0, 2 - time * rate));
  }

  Segments from(double first) const {
    Segments segments = {first};
    for (std::size_t i = 1; i < need_.size(); ++i) {
      segments.push_back(std::max(0.0, need_[i - 1] - segments.back()));
    }
    segments.back() = std::max(segments.back(), need_.back() - first);
    return segments;
  }

  double sum_from(double first) const {
    double sum = first;
    double last = first;
    for (std::size_t i = 1; i < need_.size(); ++i) {
      last = std::max(0.0, need_[i - 1] - last);
      sum += last;
    }
    return sum + std::max(0.0, need_.back() - first - last);
  }

  // The middle of all best first segments: of two extremes, neither starves every other segment.
  double best_first() const {
    const double most = *std::max_element(need_.begin(), need_.end());
    double low = 0;
    double high = most;
    for (int i = 0; i < bisections; ++i) {
      const double left = low + (high - low) / 3;
      const double right = high - (high - low) / 3;
      if (sum_from(left) <= sum_from(right)) {
        high = right;
      } else {
        low = left;
      }
    }
    const double best = sum_from(low) + tolerance;
    const auto edge = [&](double inside, double outside) {
      for (int i = 0; i < bisections; ++i) {
        const double middle = (inside + outside) / 2;
        (sum_from(middle) <= best ? inside : outside) = middle;
      }
      return inside;
    };
    return (edge(low, 0) + edge(low, most)) / 2;
  }

 private:
  static constexpr double tolerance = 1e-9;

  std::vector<double> need_;
};

double slowest(std::span<const double> rates, const Segments& segments) {
  double time = 0;
  for (std::size_t i = 0; i < rates.size(); ++i) {
    time = std::max(time, (2 - segments[i] - segments[(i + 1) % segments.size()]) / rates[i]);
  }
  return time;
}

}  // namespace

std::vector<std::uint32_t> ring_weights(std::span<const double> rates) {
  const std::size_t count = rates.size();
  RONDO_INVARIANT(count, >, 0u);
  const auto [least, most] = std::minmax_element(rates.begin(), rates.end());
  RONDO_INVARIANT(*least, >, 0.0);
  if (*least == *most || count < 3 || count > most_links)
    return std::vector<std::uint32_t>(count, 1);
  double too_short = 0;
  double enough = 2 / *least;
  for (int i = 0; i < bisections; ++i) {
    const double time = (too_short + enough) / 2;
    const Cover cover(rates, time);
    (cover.sum_from(cover.best_first()) <= 1 ? enough : too_short) = time;
  }
  const Cover cover(rates, enough);
  Segments segments = cover.from(cover.best_first());
  double sum = 0;
  for (const double segment : segments) sum += segment;
  std::vector<std::uint32_t> weights;
  for (const double segment : segments) {
    const double spare = std::max(0.0, 1 - sum) / static_cast<double>(count);
    weights.push_back(static_cast<std::uint32_t>(std::lround((segment + spare) * scale)));
  }
  return weights;
}

double ring_time(std::span<const double> rates, std::span<const std::uint32_t> weights) {
  RONDO_INVARIANT(rates.size(), ==, weights.size());
  double sum = 0;
  for (const std::uint32_t weight : weights) sum += weight;
  Segments segments;
  for (const std::uint32_t weight : weights) segments.push_back(weight / sum);
  return slowest(rates, segments);
}

}  // namespace rondo
