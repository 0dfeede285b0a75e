#pragma once

// The time of a plan in closed form: where simulating it would take too long, and to find out
// whether that is worth while.

#include <vector>

#include "rondo/schedule.hpp"
#include "rondo/simulate.hpp"

namespace rondo {

/// From the figures of theory and what some ranks do: those at both ends of the first and the last
/// hosts, where most ways lead out.
///
///   time = start + rounds · latency + max(busy, rounds · moving)         for whole segments
///   time = start + rounds · latency + busy + tile/segment · rounds · moving         for tiles
///
/// where `latency` is a + 2o (and w where the processor is shared) and `moving` the time of the
/// bytes from end to end, both of a rank's messages on average, and `busy` the longest of what the
/// rank's processor, way out and way in have to do in all, with those that share them; the slowest
/// of these ranks counts.
class Estimate {
 public:
  /// The model must outlive it.
  static Result<Estimate> make(const Plan& plan, const CostModel& model);

  const Plan& plan() const { return programs_.front().plan; }
  double seconds(std::uint64_t bytes, std::size_t tile_bytes) const;

 private:
  explicit Estimate(const CostModel& model) : model_(&model) {}

  const CostModel* model_;
  std::uint32_t rounds_ = 0;
  std::vector<Program> programs_;
};

}  // namespace rondo
