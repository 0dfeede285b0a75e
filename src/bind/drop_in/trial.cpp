#include "bind/drop_in/trial.hpp"

#include <algorithm>

namespace rondo::bind {

namespace {

constexpr double worthwhile(Doubt doubt) {
  return doubt == Doubt::first ? 0.9 : 0.95;
}

}  // namespace

void Trial::add(double nanoseconds) {
  auto& times = next() == Way::rondo ? rondo_ : below_;
  const int of_row = calls_ % row - 1;
  const int counted_row = calls_ / (2 * row) - 1;
  ++calls_;
  if (of_row < 0 || counted_row < 0) return;
  times[static_cast<std::size_t>(counted_row * (row - 1) + of_row)] = nanoseconds;
}

double Trial::median(const std::array<double, measured>& times) {
  std::array<double, measured> sorted = times;
  std::sort(sorted.begin(), sorted.end());
  return (sorted[(measured - 1) / 2] + sorted[measured / 2]) / 2;
}

Times Trial::times() const {
  return {median(rondo_), median(below_)};
}

Way faster(std::span<const Times> of_all_ranks, Doubt doubt) {
  Times sum;
  for (const Times& times : of_all_ranks) {
    sum.rondo += times.rondo;
    sum.below += times.below;
  }
  return sum.rondo < worthwhile(doubt) * sum.below ? Way::rondo : Way::below;
}

}  // namespace rondo::bind
