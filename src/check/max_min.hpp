#pragma once

// Max-min fair shares: nobody's rate can grow but at the cost of somebody whose rate is not higher.
// D. Bertsekas and R. Gallager, "Data Networks" (1992), section 6.5.2: all rates grow at one pace;
// the flows of a link that is full keep what they have.

#include <cstdint>
#include <span>
#include <vector>

#include "rondo/error.hpp"

namespace rondo {

using LinkId = std::uint32_t;

/// Flows that cross the same links, each of them once.
struct FlowGroup {
  std::span<const LinkId> links;
  std::uint32_t flows = 1;
};

/// Keeps its memory between calls; a call looks at the links of its groups only.
class MaxMin {
 public:
  /// The rate of one flow of each group, in the unit of `capacity`. Each group crosses a link.
  std::vector<double> rates(std::span<const double> capacity, std::span<const FlowGroup> groups);

 private:
  struct Link {
    double left = 0;
    std::uint32_t flows = 0;  // whose rates are not known yet
    std::vector<std::uint32_t> groups = {};
  };
  void load(std::span<const double> capacity, std::span<const FlowGroup> groups);
  double lowest_share() const;

  std::vector<Link> links_;
  std::vector<LinkId> touched_;
};

/// The proof that rates are max-min fair: no link carries more than it can, and each flow crosses a
/// full link on which no flow is faster.
Result<> check_max_min(std::span<const double> capacity, std::span<const FlowGroup> groups,
                       std::span<const double> rates);

}  // namespace rondo
