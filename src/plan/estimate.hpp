#pragma once

// The time of a plan in closed form: where simulating it would take too long, and to find out
// whether that is worth while.

#include <utility>
#include <vector>

#include "check/theory.hpp"
#include "rondo/schedule.hpp"
#include "rondo/simulate.hpp"

namespace rondo {

/// A rank whose program tells how long a plan takes.
struct Teller {
  int rank = 0;
  int on_processor = 1;      ///< ranks that take turns on its processor, itself among them
  int port = -1;             ///< through which it leaves its host
  std::vector<int> sharers;  ///< ranks that leave through the same, itself among them
};

/// Those at both ends of the first hosts and at the last, where most ways lead out, and one whose
/// port is the slowest; in the order of the arrangement, or of ranks.
std::vector<Teller> tellers(const CostModel& model, const Arrangement* order);

/// A time that a plan does not fall below: the messages that follow each other have their latency
/// at least, and ranks send what they send on average over the fastest links.
double least_seconds(const Plan& plan, const Theory& theory, const CostModel& model,
                     std::uint64_t bytes);

/// From the figures of theory and what some ranks do.
///
///   time = start + rounds · latency + max(busy, rounds · moving)         for whole segments
///   time = start + rounds · latency + busy + tile/segment · rounds · moving         for tiles
///
/// where `latency` is a + 2o (and w where the processor is shared) and `moving` the time of the
/// bytes from end to end, both of a rank's messages on average, and `busy` the longest of what the
/// rank's processor, way out and way in have to do in all, with those that share them; the slowest
/// of the tellers counts. Steps are summed up once; a size and a tile then take no time.
class Estimate {
 public:
  static Result<Estimate> make(const Plan& plan, const Theory& theory, const CostModel& model,
                               const std::vector<Teller>& tellers);

  double seconds(std::uint64_t bytes, std::size_t tile_bytes) const;

 private:
  // What one rank does in a call: seconds, and those that each byte of the vector takes.
  struct Burden {
    double latency = 0;  // of its messages, a + 2o, on average
    double moving_byte = 0;
    double processor = 0;  // beside the overheads of messages
    double processor_byte = 0;
    double way_out_byte = 0;
    double way_in_byte = 0;
    /// Messages with the same part of the vector, and all their overheads if none is cut.
    std::vector<std::pair<double, double>> overheads = {};
    int on_processor = 1;
  };
  class Adder;

  double start_s_ = 0;
  double rounds_ = 0;
  double longest_segment_ = 0;  // as a part of the vector
  std::vector<Burden> burdens_;
};

}  // namespace rondo
