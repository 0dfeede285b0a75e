#include "check/arranged.hpp"

#include <algorithm>

#include "schedule/generators.hpp"

namespace rondo {

namespace {

// Every other rank, then the rest: none stands beside its neighbour.
std::vector<int> interleaved(int ranks) {
  std::vector<int> order;
  for (const int first : {1, 0}) {
    for (int rank = first; rank < ranks; rank += 2) order.push_back(rank);
  }
  return order;
}

std::vector<int> reversed(int ranks) {
  std::vector<int> order;
  for (int rank = ranks - 1; rank >= 0; --rank) order.push_back(rank);
  return order;
}

std::vector<int> equal_groups(int ranks, int size) {
  std::vector<int> groups(static_cast<std::size_t>(ranks / size), size);
  if (ranks % size > 0) groups.push_back(ranks % size);
  return groups;
}

std::vector<int> growing_groups(int ranks) {
  std::vector<int> groups;
  for (int size = 1; ranks > 0; ++size) {
    const bool last = ranks < 2 * size + 1;
    groups.push_back(last ? ranks : size);
    ranks -= groups.back();
  }
  return groups;
}

// Unequal ones, some of them nothing.
std::vector<std::uint32_t> uneven_weights(int ranks) {
  std::vector<std::uint32_t> weights;
  for (int i = 0; i < ranks; ++i) weights.push_back(static_cast<std::uint32_t>(i * 7 + 3) % 5);
  return weights;
}

Plan arranged(Plan plan, std::vector<int> order, std::vector<int> groups, int channels,
              std::vector<std::uint32_t> weights = {}) {
  plan.channels = channels;
  plan.arrangement =
      Arrangement::make(std::move(order), std::move(groups), std::move(weights)).value();
  return plan;
}

std::vector<Plan> ring_plans(const Plan& plain) {
  const int ranks = plain.ranks;
  std::vector<Plan> plans;
  if (ranks <= 64) plans.push_back(arranged(plain, interleaved(ranks), {}, 1));
  plans.push_back(arranged(plain, interleaved(ranks), growing_groups(ranks), 2));
  if (plain.collective == Collective::allreduce) {
    std::vector<std::uint32_t> one(static_cast<std::size_t>(ranks - 1), 0);
    one.push_back(1);
    if (ranks <= 16) plans.push_back(arranged(plain, reversed(ranks), {}, 1, one));
    plans.push_back(arranged(plain, interleaved(ranks), {}, 1, uneven_weights(ranks)));
  }
  return plans;
}

std::vector<Plan> group_plans(const Plan& plain) {
  std::vector<Plan> plans;
  bool turned = false;
  for (const std::vector<int>& groups : group_shapes(plain.ranks)) {
    const std::vector<int> order = turned ? reversed(plain.ranks) : interleaved(plain.ranks);
    turned = !turned;
    plans.push_back(arranged(plain, order, groups, 1));
    const int smallest = *std::min_element(groups.begin(), groups.end());
    const int stripes = std::min(smallest, max_channels);
    if (plain.algorithm != Algorithm::two_level || stripes == 1) continue;
    if (stripes > 2) plans.push_back(arranged(plain, order, groups, 2));
    plans.push_back(arranged(plain, order, groups, stripes));
  }
  return plans;
}

}  // namespace

std::vector<std::vector<int>> group_shapes(int ranks) {
  int side = 1;
  while ((side + 1) * (side + 1) <= ranks) ++side;
  int divisor = side;
  while (ranks % divisor > 0) --divisor;
  std::vector<std::vector<int>> shapes = {
      equal_groups(ranks, 1), {ranks}, growing_groups(ranks), equal_groups(ranks, side)};
  if (ranks == 16) shapes.push_back({3, 5, 8});
  shapes.push_back(equal_groups(ranks, ranks / divisor));
  std::vector<std::vector<int>> distinct;
  for (auto& shape : shapes) {
    if (std::find(distinct.begin(), distinct.end(), shape) == distinct.end()) {
      distinct.push_back(std::move(shape));
    }
  }
  return distinct;
}

std::vector<Plan> arranged_plans(Algorithm algorithm, Collective collective, int ranks, int root) {
  const Plan plain{algorithm, collective, ranks, root};
  switch (arranged(algorithm, collective)) {
    case Arranged::never:
      return {};
    case Arranged::along_line:
      return {arranged(plain, interleaved(ranks), growing_groups(ranks), 1)};
    case Arranged::by_itself:
      break;
  }
  return algorithm == Algorithm::ring ? ring_plans(plain) : group_plans(plain);
}

}  // namespace rondo
