#include "plan/device_plan.hpp"

#include <algorithm>
#include <array>
#include <numeric>
#include <utility>

#include "base/text.hpp"
#include "check/cost_model.hpp"
#include "plan/default_costs.hpp"

namespace rondo {

namespace {

// What keeps ranks apart, the widest first: the way between processors, that through one, PCIe,
// being another device.
constexpr std::array levels = {PathClass::node, PathClass::pxb, PathClass::xgmi,
                               PathClass::same_gpu};

bool is_split(const std::vector<int>& groups) {
  const int count = *std::max_element(groups.begin(), groups.end()) + 1;
  return count > 1 && count < static_cast<int>(groups.size());
}

// Of consecutive ranks of the order that are in one group.
std::vector<int> lengths(const std::vector<int>& order, const std::vector<int>& groups) {
  std::vector<int> found;
  int last = -1;
  for (const int rank : order) {
    const int group = groups[static_cast<std::size_t>(rank)];
    if (group != last) found.push_back(0);
    ++found.back();
    last = group;
  }
  return found;
}

}  // namespace

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

Result<DeviceModel> make_device_model(std::vector<int> device_of, std::vector<PathClass> paths,
                                      const CostTable& costs) {
  const auto refuse = [](std::string text) {
    return Error(ErrorCode::invalid_argument, std::move(text));
  };
  bool make_all_sense = make_sense({costs.kernel_s});
  for (const std::optional<DeviceCost>& cost : costs.devices) {
    make_all_sense &= !cost || (make_sense({cost->latency_s}) &&
                                are_rates({cost->read_byte_s, cost->write_byte_s}));
  }
  if (!has_devices(costs))
    return refuse("a table of costs without a line for devices tells nothing of these");
  if (!make_all_sense) {
    return refuse(concat("the costs of devices make no sense: each is from 0 to ",
                         most_cost_seconds, " s, and of a byte to ", most_byte_seconds, " s"));
  }
  const auto ranks = static_cast<int>(device_of.size());
  return DeviceModel{.ranks = ranks,
                     .device_of = std::move(device_of),
                     .paths = std::move(paths),
                     .kernel_s = costs.kernel_s,
                     .costs = complete_devices(costs)};
}

Result<DeviceModel> make_device_model(const Topology& topology, const CostTable& costs) {
  const auto ranks = static_cast<int>(topology.ranks.size());
  const auto refuse = [](std::string text) {
    return Error(ErrorCode::invalid_argument, std::move(text));
  };
  if (ranks > most_device_ranks) {
    return refuse(
        concat("from device to device go at most ", most_device_ranks, " ranks, not ", ranks));
  }
  std::vector<int> device_of;
  std::vector<PathClass> paths;
  std::vector<int> known;
  for (int rank = 0; rank < ranks; ++rank) {
    const Rank& one = topology.ranks[static_cast<std::size_t>(rank)];
    if (one.host != topology.ranks[0].host) {
      return refuse("ranks of several hosts do not reach each other's devices");
    }
    if (one.gpu == unknown) {
      return refuse(concat("the topology names no GPU that rank ", rank,
                           " works with, as \"one rank per gpu\" does"));
    }
    const auto found = std::find(known.begin(), known.end(), one.gpu);
    device_of.push_back(static_cast<int>(found - known.begin()));
    if (found == known.end()) known.push_back(one.gpu);
    for (int other = 0; other < ranks; ++other) paths.push_back(path_class(topology, rank, other));
  }
  return make_device_model(std::move(device_of), std::move(paths), costs);
}

std::vector<int> groups_within(const DeviceModel& model, PathClass farthest) {
  std::vector<int> group_of(static_cast<std::size_t>(model.ranks), -1);
  int next = 0;
  for (int first = 0; first < model.ranks; ++first) {
    if (group_of[static_cast<std::size_t>(first)] >= 0) continue;
    std::vector<int> found = {first};
    group_of[static_cast<std::size_t>(first)] = next;
    for (std::size_t i = 0; i < found.size(); ++i) {
      for (int other = 0; other < model.ranks; ++other) {
        int& group = group_of[static_cast<std::size_t>(other)];
        if (group >= 0 || model.between(found[i], other) > farthest) continue;
        group = next;
        found.push_back(other);
      }
    }
    ++next;
  }
  return group_of;
}

Site device_site(const DeviceModel& model) {
  Site site{.ranks = model.ranks, .is_of_devices = true};
  std::vector<std::vector<int>> groups;
  for (const PathClass level : levels) groups.push_back(groups_within(model, level));
  const auto split = std::find_if(groups.begin(), groups.end(), is_split);
  if (split == groups.end()) return site;
  std::vector<int> order(static_cast<std::size_t>(model.ranks));
  std::iota(order.begin(), order.end(), 0);
  const auto place = [&](int rank) {
    const auto index = static_cast<std::size_t>(rank);
    return std::array{groups[0][index], groups[1][index], groups[2][index], groups[3][index]};
  };
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return place(a) < place(b); });
  std::vector<int> sizes = lengths(order, *split);
  site.near = Arrangement::make(std::move(order), std::move(sizes)).value();
  site.has_groups = true;
  return site;
}

}  // namespace rondo
