#include "bind/drop_in/trial.hpp"

#include <algorithm>

namespace rondo::bind {

namespace {

// What so few calls tell is not surer than this.
constexpr double worthwhile = 0.9;

}  // namespace

void Trial::add(double nanoseconds) {
  auto& times = next() == Way::rondo ? rondo_ : below_;
  const int round = calls_++ / 2 - warm_ups;
  if (round >= 0 && round < measured) times[static_cast<std::size_t>(round)] = nanoseconds;
}

double Trial::typical(const std::array<double, measured>& times) {
  std::array<double, measured> sorted = times;
  std::sort(sorted.begin(), sorted.end());
  return sorted[2];
}

Times Trial::times() const {
  return {typical(rondo_), typical(below_)};
}

Way faster(std::span<const Times> of_all_ranks) {
  Times sum;
  for (const Times& times : of_all_ranks) {
    sum.rondo += times.rondo;
    sum.below += times.below;
  }
  return sum.rondo < worthwhile * sum.below ? Way::rondo : Way::below;
}

}  // namespace rondo::bind
