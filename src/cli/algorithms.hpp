#pragma once

// Which schedules a command line asks for, and the parts of help texts about them.

#include <memory>
#include <string>
#include <vector>

#include "cli/arguments.hpp"
#include "rondo/simulate.hpp"

namespace rondo::cli {

/// What a word of the command line names. Throws UsageError that lists the known ones.
Collective parse_known_collective(const std::string& word);
Algorithm parse_known_algorithm(const std::string& word);
/// Throws UsageError that lists those that have the collective.
void require_supported(Algorithm algorithm, Collective collective);

/// Takes `--collective C`; allreduce if there is none.
Collective take_collective(Arguments& arguments);

/// Takes the words that are left as algorithms; without any, all that know the collective.
std::vector<Algorithm> take_algorithms(Arguments& arguments, Collective collective);

/// Lines of a help text: "ALGORITHM   ring, double_tree, …". All lists go on at `column`.
std::string collectives_help(const std::string& head, std::size_t column);
std::string algorithms_help(const std::string& head, std::size_t column);
/// "  --root R    of broadcast, reduce, gather, scatter; default 0" and the same of --radix.
std::string root_and_radix_help(std::size_t column);

/// Hosts of equally many ranks, in rank order; none where there is only one.
std::shared_ptr<const Arrangement> hosts_of(int ranks, int per_host);

/// Makes plans of algorithms for one machine: those with groups take its hosts for them, and
/// two_level has a stripe for each port of a host.
class PlanMaker {
 public:
  /// `hosts` has the ranks of each host as a group; none on one host.
  PlanMaker(std::shared_ptr<const Arrangement> hosts, const CostModel& model);

  Plan make(Algorithm algorithm, Collective collective, int radix) const;

 private:
  int ranks_ = 1;
  int stripes_ = 1;
  std::shared_ptr<const Arrangement> hosts_;
};

}  // namespace rondo::cli
