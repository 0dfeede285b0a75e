#include "plan/port_rates.hpp"

#include <algorithm>
#include <cmath>

namespace rondo {

namespace {

// Rates that differ by less are the same, measured twice.
constexpr double noise = 1.1;

}  // namespace

std::vector<bool> PortRates::are_fast() const {
  double fastest = HUGE_VAL;
  for (const std::optional<double>& one : best_) fastest = std::min(fastest, one.value_or(fastest));
  std::vector<bool> fast;
  for (const std::optional<double>& one : best_) fast.push_back(one && *one <= noise * fastest);
  return fast;
}

std::vector<PortRates::Pair> PortRates::pairs(int round) const {
  const std::vector<bool> is_fast = are_fast();
  std::vector<int> fast;
  for (std::size_t host = 0; host < best_.size(); ++host) {
    if (is_fast[host]) fast.push_back(static_cast<int>(host));
  }
  if (!fast.empty()) {
    const auto turn = static_cast<std::size_t>(round) % fast.size();
    std::rotate(fast.begin(), fast.begin() + static_cast<std::ptrdiff_t>(turn), fast.end());
  }
  std::vector<int> slow;
  for (std::size_t host = 0; host < best_.size(); ++host) {
    if (!is_fast[host]) slow.push_back(static_cast<int>(host));
  }
  // Those first that have had no fast partner yet.
  std::vector<bool> met_fast(best_.size());
  for (const auto& [first, second] : measured_) {
    if (is_fast[static_cast<std::size_t>(second)]) met_fast[static_cast<std::size_t>(first)] = true;
    if (is_fast[static_cast<std::size_t>(first)]) met_fast[static_cast<std::size_t>(second)] = true;
  }
  std::stable_partition(slow.begin(), slow.end(),
                        [&](int host) { return !met_fast[static_cast<std::size_t>(host)]; });
  std::vector<int> order;  // slow ones, each before a fast one, then the rest
  std::size_t used = 0;
  for (const int host : slow) {
    order.push_back(host);
    if (used < fast.size()) order.push_back(fast[used++]);
  }
  order.insert(order.end(), fast.begin() + static_cast<std::ptrdiff_t>(used), fast.end());
  std::vector<Pair> pairs;
  for (std::size_t i = 0; i + 1 < order.size(); i += 2) {
    pairs.emplace_back(std::minmax(order[i], order[i + 1]));
  }
  return pairs;
}

void PortRates::note(Pair pair, double byte_s) {
  measured_.push_back(pair);
  for (const int host : {pair.first, pair.second}) {
    std::optional<double>& best = best_[static_cast<std::size_t>(host)];
    best = std::min(best.value_or(byte_s), byte_s);
  }
}

std::vector<std::optional<double>> PortRates::byte_s() const {
  std::vector<std::size_t> order;
  for (std::size_t host = 0; host < best_.size(); ++host) {
    if (best_[host]) order.push_back(host);
  }
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return *best_[a] < *best_[b]; });
  std::vector<std::optional<double>> smooth(best_.size());
  for (std::size_t begin = 0; begin < order.size();) {
    std::size_t end = begin;
    while (end < order.size() && *best_[order[end]] <= noise * *best_[order[begin]]) ++end;
    const double median = *best_[order[begin + (end - begin) / 2]];
    for (; begin < end; ++begin) smooth[order[begin]] = median;
  }
  return smooth;
}

}  // namespace rondo
