#include "plan/device_plan.hpp"

#include <algorithm>

namespace rondo {

namespace {

// From here on the root's own way out is what a broadcast takes: it goes out once, in parts.
constexpr std::size_t least_scattered = 1 << 20;

}  // namespace

std::optional<Ordering> parse_ordering(std::string_view text) {
  for (const Ordering ordering : {Ordering::streams, Ordering::kernels}) {
    if (text == name(ordering)) return ordering;
  }
  return std::nullopt;
}

std::string_view name(std::optional<Ordering> ordering) {
  if (!ordering) return known_orderings[0];
  return known_orderings[*ordering == Ordering::streams ? 1 : 2];
}

Ordering ordering_for(bool same_process, bool same_device) {
  return same_device && !same_process ? Ordering::streams : Ordering::kernels;
}

bool has_device_plan(Collective collective) {
  switch (collective) {
    case Collective::allreduce:
    case Collective::broadcast:
    case Collective::reduce:
    case Collective::allgather:
    case Collective::reduce_scatter:
    case Collective::alltoall:
      return true;
    default:
      return false;
  }
}

Plan device_plan(Collective collective, int ranks, int root, std::size_t bytes,
                 bool shares_device) {
  Plan plan{Algorithm::one_shot, collective, ranks, root};
  if (collective == Collective::allreduce) plan.algorithm = Algorithm::two_shot;
  if (collective == Collective::broadcast || collective == Collective::reduce) {
    plan.algorithm = Algorithm::knomial;
    plan.radix = std::clamp(ranks, 2, max_radix);
  }
  const bool is_scattered =
      collective == Collective::broadcast && !shares_device && bytes >= least_scattered;
  if (is_scattered) {
    plan.algorithm = Algorithm::scatter_allgather;
    plan.radix = 2;
  }
  return plan;
}

}  // namespace rondo
