#include "cli/algorithms.hpp"

#include <algorithm>
#include <set>

#include "base/text.hpp"

namespace rondo::cli {

namespace {

// Ports to other hosts of the host that has the fewest.
int ports_of_hosts(const Arrangement& hosts, const CostModel& model) {
  int fewest = max_channels;
  for (int group = 0; group < hosts.groups(); ++group) {
    const int begin = hosts.begin_of(group);
    const int end = hosts.begin_of(group + 1);
    const int elsewhere = hosts.rank_at(end % hosts.ranks());
    const int link_class = model.class_of(hosts.rank_at(begin), elsewhere);
    std::set<int> ports;
    for (int position = begin; position < end; ++position) {
      ports.insert(model.port_of(hosts.rank_at(position), link_class));
    }
    fewest = std::min(fewest, static_cast<int>(ports.size()));
  }
  return fewest;
}

}  // namespace

PlanMaker::PlanMaker(std::shared_ptr<const Arrangement> hosts, const CostModel& model)
    : ranks_(model.ranks), hosts_(std::move(hosts)) {
  if (hosts_ && hosts_->groups() > 1) stripes_ = ports_of_hosts(*hosts_, model);
}

Plan PlanMaker::make(Algorithm algorithm, Collective collective, int radix) const {
  Plan plan{algorithm, collective, ranks_};
  if (algorithm == Algorithm::knomial) plan.radix = radix;
  if (algorithm == Algorithm::two_level) plan.channels = stripes_;
  if (algorithm == Algorithm::two_level || algorithm == Algorithm::chain_tree) {
    plan.arrangement = hosts_;
  }
  return plan;
}

Collective take_collective(Arguments& arguments) {
  const std::string text = arguments.value("--collective").value_or("allreduce");
  const auto collective = parse_collective(text);
  if (!collective) throw UsageError(concat("unknown collective '", text, "'"));
  return *collective;
}

std::vector<Algorithm> take_algorithms(Arguments& arguments, Collective collective) {
  std::vector<Algorithm> algorithms;
  while (const std::optional<std::string> word = arguments.word()) {
    const auto algorithm = parse_algorithm(*word);
    if (!algorithm) throw UsageError(concat("unknown algorithm '", *word, "'"));
    if (!is_supported(*algorithm, collective)) {
      throw UsageError(concat("there is no ", *word, " ", name(collective)));
    }
    algorithms.push_back(*algorithm);
  }
  if (!algorithms.empty()) return algorithms;
  for (int i = 0; i < algorithm_count; ++i) {
    const auto algorithm = static_cast<Algorithm>(i);
    if (is_supported(algorithm, collective)) algorithms.push_back(algorithm);
  }
  return algorithms;
}

}  // namespace rondo::cli
