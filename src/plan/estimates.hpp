#pragma once

// The estimates of a world's plans, each made once and used for all sizes.

#include <cstdint>
#include <optional>
#include <vector>

#include "plan/candidates.hpp"
#include "plan/estimate.hpp"

namespace rondo {

/// A candidate and its time in integers, so that comparing means the same on all ranks.
struct Prediction {
  Candidate candidate = {};
  std::int64_t picoseconds = 0;
  double seconds() const { return static_cast<double>(picoseconds) * 1e-12; }
};
/// Of a time of any length; what would leave 64 bits becomes the longest that does not.
std::int64_t in_picoseconds(double seconds);

class Estimates {
 public:
  /// The model outlives it.
  Estimates(const Site& site, const CostModel& model);

  /// Those of the candidates, in their order. Where one takes `worth` times as long as another one
  /// at least, whatever its steps are, it is left out: the steps of many ranks are many.
  Result<std::vector<Prediction>> of(const std::vector<Candidate>& all, std::uint64_t bytes,
                                     double worth);

 private:
  struct Known {
    Plan plan;
    Theory theory;
    std::optional<Estimate> estimate = {};
  };
  struct Order {
    std::shared_ptr<const Arrangement> arrangement;
    std::vector<Teller> tellers = {};
  };
  std::size_t place_of(const Plan& plan);
  Result<> make_estimate(Known& known);

  const CostModel* model_;
  std::vector<Order> orders_;
  std::vector<Known> known_;
};

}  // namespace rondo
