#include "cli/algorithms.hpp"

#include <algorithm>
#include <numeric>
#include <sstream>

#include "base/text.hpp"
#include "plan/candidates.hpp"
#include "schedule/generators.hpp"
#include "schedule/text.hpp"

namespace rondo::cli {

namespace {

constexpr std::size_t help_width = 96;

// The head, then the words from a column on, in as many lines as they need.
std::string listed(const std::string& head, const std::string& words, std::size_t column) {
  std::string text;
  std::string line = padded(head, column);
  std::istringstream in(words);
  for (std::string word; in >> word;) {
    if (width_of(line) + width_of(word) > help_width) {
      text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
      line.assign(column, ' ');
    }
    line += word + " ";
  }
  return text + line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
}

}  // namespace

Collective parse_known_collective(const std::string& word) {
  if (const auto collective = parse_collective(word)) return *collective;
  throw UsageError(
      concat("unknown collective '", word, "'; known: ", all_names<Collective>(collective_count)));
}

Algorithm parse_known_algorithm(const std::string& word) {
  const auto algorithm = parse_algorithm(word);
  if (algorithm && *algorithm != Algorithm::automatic) return *algorithm;
  throw UsageError(
      concat("unknown algorithm '", word, "'; known: ", algorithm_names(std::nullopt)));
}

void require_supported(Algorithm algorithm, Collective collective) {
  if (is_supported(algorithm, collective)) return;
  throw UsageError(concat("there is no ", name(algorithm), " ", name(collective), "; ",
                          name(collective), " has ", algorithm_names(collective)));
}

std::shared_ptr<const Arrangement> hosts_of(int ranks, int per_host) {
  if (ranks <= per_host) return nullptr;
  std::vector<int> order(static_cast<std::size_t>(ranks));
  std::iota(order.begin(), order.end(), 0);
  std::vector<int> groups(order.size() / static_cast<std::size_t>(per_host), per_host);
  if (ranks % per_host != 0) groups.push_back(ranks % per_host);
  return Arrangement::make(std::move(order), std::move(groups)).value();
}

PlanMaker::PlanMaker(std::shared_ptr<const Arrangement> hosts, const CostModel& model)
    : ranks_(model.ranks), hosts_(std::move(hosts)) {
  if (hosts_) stripes_ = nics_of_groups(*hosts_, model);
}

Plan PlanMaker::make(Algorithm algorithm, Collective collective, int radix) const {
  Plan plan{algorithm, collective, ranks_};
  if (algorithm == Algorithm::knomial) plan.radix = radix;
  if (algorithm == Algorithm::two_level) plan.channels = stripes_;
  if (has_groups(algorithm)) plan.arrangement = hosts_;
  return plan;
}

Collective take_collective(Arguments& arguments) {
  return parse_known_collective(arguments.value("--collective").value_or("allreduce"));
}

std::vector<Algorithm> take_algorithms(Arguments& arguments, Collective collective) {
  std::vector<Algorithm> algorithms;
  while (const std::optional<std::string> word = arguments.word()) {
    algorithms.push_back(parse_known_algorithm(*word));
    require_supported(algorithms.back(), collective);
  }
  if (!algorithms.empty()) return algorithms;
  for (int i = 0; i < algorithm_count; ++i) {
    const auto algorithm = static_cast<Algorithm>(i);
    if (is_supported(algorithm, collective)) algorithms.push_back(algorithm);
  }
  return algorithms;
}

std::string collectives_help(const std::string& head, std::size_t column) {
  return listed(head, all_names<Collective>(collective_count), column);
}

std::string algorithms_help(const std::string& head, std::size_t column) {
  return listed(head, algorithm_names(std::nullopt), column);
}

std::string root_and_radix_help(std::size_t column) {
  const std::string rooted = all_names<Collective>(collective_count, is_rooted);
  return listed("  --root R", concat("of ", rooted, "; default 0"), column) +
         listed("  --radix K", concat("of knomial, 2 to ", max_radix, "; default 2"), column);
}

}  // namespace rondo::cli
