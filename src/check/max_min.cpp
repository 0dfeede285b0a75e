#include "check/max_min.hpp"

#include <algorithm>
#include <limits>

#include "base/invariant.hpp"
#include "base/text.hpp"

namespace rondo {

namespace {

// Shares that differ by less are one: sums and differences have been rounded.
constexpr double tolerance = 1e-9;

}  // namespace

void MaxMin::load(std::span<const double> capacity, std::span<const FlowGroup> groups) {
  if (links_.size() < capacity.size()) links_.resize(capacity.size());
  touched_.clear();
  for (std::uint32_t i = 0; i < groups.size(); ++i) {
    RONDO_INVARIANT(groups[i].links.size(), >, 0u);
    for (const LinkId id : groups[i].links) {
      Link& link = links_[id];
      if (link.flows == 0) {
        touched_.push_back(id);
        link.left = capacity[id];
        link.groups.clear();
      }
      link.flows += groups[i].flows;
      link.groups.push_back(i);
    }
  }
}

double MaxMin::lowest_share() const {
  double lowest = std::numeric_limits<double>::infinity();
  for (const LinkId id : touched_) {
    lowest = std::min(lowest, std::max(links_[id].left, 0.0) / links_[id].flows);
  }
  return lowest;
}

std::vector<double> MaxMin::rates(std::span<const double> capacity,
                                  std::span<const FlowGroup> groups) {
  load(capacity, groups);
  constexpr double not_known = -1;
  std::vector<double> rates(groups.size(), not_known);
  std::vector<LinkId> full;
  while (!touched_.empty()) {
    const double share = lowest_share();
    full.clear();
    for (const LinkId id : touched_) {
      if (links_[id].left <= share * links_[id].flows * (1 + tolerance)) full.push_back(id);
    }
    for (const LinkId id : full) {
      for (const std::uint32_t group : links_[id].groups) {
        if (rates[group] != not_known) continue;
        rates[group] = share;
        for (const LinkId crossed : groups[group].links) {
          links_[crossed].left -= share * groups[group].flows;
          links_[crossed].flows -= groups[group].flows;
        }
      }
    }
    std::erase_if(touched_, [&](LinkId id) { return links_[id].flows == 0; });
  }
  return rates;
}

Result<> check_max_min(std::span<const double> capacity, std::span<const FlowGroup> groups,
                       std::span<const double> rates) {
  const auto wrong = [](std::string text) {
    return Error(ErrorCode::invalid_argument, std::move(text));
  };
  std::vector<double> load(capacity.size());
  std::vector<double> fastest(capacity.size());
  for (std::size_t i = 0; i < groups.size(); ++i) {
    for (const LinkId link : groups[i].links) {
      load[link] += rates[i] * groups[i].flows;
      fastest[link] = std::max(fastest[link], rates[i]);
    }
  }
  constexpr double slack = 1e-6;
  for (std::size_t link = 0; link < capacity.size(); ++link) {
    if (load[link] > capacity[link] * (1 + slack)) {
      return wrong(concat("link ", link, " carries ", load[link], ", but can ", capacity[link]));
    }
  }
  for (std::size_t i = 0; i < groups.size(); ++i) {
    const bool held = std::any_of(groups[i].links.begin(), groups[i].links.end(), [&](LinkId link) {
      return load[link] >= capacity[link] * (1 - slack) && rates[i] >= fastest[link] * (1 - slack);
    });
    if (!held) return wrong(concat("nothing keeps flow group ", i, " at ", rates[i]));
  }
  return {};
}

}  // namespace rondo
