#pragma once

// Which schedules a command line asks for.

#include <memory>
#include <vector>

#include "cli/arguments.hpp"
#include "rondo/simulate.hpp"

namespace rondo::cli {

/// Takes `--collective C`; allreduce if there is none.
Collective take_collective(Arguments& arguments);

/// Takes the words that are left as algorithms; without any, all that know the collective.
std::vector<Algorithm> take_algorithms(Arguments& arguments, Collective collective);

/// Makes plans of algorithms for one machine: those that know groups take its hosts for them, and
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
