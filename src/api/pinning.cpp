#include "api/pinning.hpp"

#include <algorithm>
#include <vector>

namespace rondo {

namespace {

// PUs that the rank may use of its first core, or of its last one.
std::vector<int> pus_of_one_core(const Machine& machine, const Rank& rank, bool first) {
  std::vector<std::vector<int>> cores;
  for (const Core& core : machine.cores) {
    std::vector<int> pus;
    std::set_intersection(core.pus.begin(), core.pus.end(), rank.pus.begin(), rank.pus.end(),
                          std::back_inserter(pus));
    if (!pus.empty()) cores.push_back(std::move(pus));
  }
  if (cores.size() < 2) return {};
  return first ? cores.front() : cores.back();
}

}  // namespace

Pinning::Pinning(const Topology& pair, int rank) {
  const Rank& own = pair.ranks.at(static_cast<std::size_t>(rank));
  const Rank& other = pair.ranks.at(static_cast<std::size_t>(1 - rank));
  if (own.host != other.host) return;
  const auto host = static_cast<std::size_t>(own.host);
  const auto machine = static_cast<std::size_t>(pair.hosts.at(host).machine);
  cpu_set_t core;
  CPU_ZERO(&core);
  for (const int pu : pus_of_one_core(pair.machines.at(machine), own, rank == 0)) {
    if (pu < CPU_SETSIZE) CPU_SET(pu, &core);
  }
  pinned_ = CPU_COUNT(&core) > 0 && ::sched_getaffinity(0, sizeof before_, &before_) == 0 &&
            ::sched_setaffinity(0, sizeof core, &core) == 0;
}

Pinning::~Pinning() {
  if (pinned_) (void)::sched_setaffinity(0, sizeof before_, &before_);
}

}  // namespace rondo
