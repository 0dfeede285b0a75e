#include "api/pinning.hpp"

#include <algorithm>
#include <vector>

namespace rondo {

namespace {

std::vector<int> common(const std::vector<int>& a, const std::vector<int>& b) {
  std::vector<int> both;
  std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(both));
  return both;
}

// Those of these PUs that each core has.
std::vector<std::vector<int>> by_core(const Machine& machine, const std::vector<int>& pus) {
  std::vector<std::vector<int>> cores;
  for (const Core& core : machine.cores) {
    std::vector<int> of_core = common(core.pus, pus);
    if (!of_core.empty()) cores.push_back(std::move(of_core));
  }
  return cores;
}

// Nothing where the rank has one core only.
std::vector<int> pus_to_use(const Machine& machine, const Rank& own, const Rank& other, bool first,
                            Pinning::Place place) {
  const std::vector<std::vector<int>> cores = by_core(machine, own.pus);
  if (cores.size() < 2) return {};
  if (place == Pinning::Place::apart) return first ? cores.front() : cores.back();
  const std::vector<std::vector<int>> shared = by_core(machine, common(own.pus, other.pus));
  return shared.empty() ? std::vector<int>() : shared.front();
}

const Machine& machine_of(const Topology& pair, const Rank& rank) {
  const auto host = static_cast<std::size_t>(rank.host);
  return pair.machines.at(static_cast<std::size_t>(pair.hosts.at(host).machine));
}

}  // namespace

Pinning::Pinning(const Topology& pair, int rank, Place place) {
  const Rank& own = pair.ranks.at(static_cast<std::size_t>(rank));
  const Rank& other = pair.ranks.at(static_cast<std::size_t>(1 - rank));
  if (own.host != other.host) return;
  cpu_set_t core;
  CPU_ZERO(&core);
  for (const int pu : pus_to_use(machine_of(pair, own), own, other, rank == 0, place)) {
    if (pu < CPU_SETSIZE) CPU_SET(pu, &core);
  }
  pinned_ = CPU_COUNT(&core) > 0 && ::sched_getaffinity(0, sizeof before_, &before_) == 0 &&
            ::sched_setaffinity(0, sizeof core, &core) == 0;
}

Topology on_one_core(const Topology& pair) {
  Topology bound = pair;
  Rank& first = bound.ranks.at(0);
  Rank& second = bound.ranks.at(1);
  if (first.host != second.host) return bound;
  const auto shared = by_core(machine_of(pair, first), common(first.pus, second.pus));
  if (!shared.empty()) first.pus = second.pus = shared.front();
  return bound;
}

Pinning::~Pinning() {
  if (pinned_) (void)::sched_setaffinity(0, sizeof before_, &before_);
}

}  // namespace rondo
