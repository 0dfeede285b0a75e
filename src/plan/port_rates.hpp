#pragma once

// What each host's port to the network carries, from what pairs of hosts can exchange: a pair tells
// the slower port of both only.

#include <optional>
#include <utility>
#include <vector>

namespace rondo {

class PortRates {
 public:
  using Pair = std::pair<int, int>;

  explicit PortRates(int hosts) : best_(static_cast<std::size_t>(hosts)) {}

  /// Hosts to measure in this round, each in one pair at most, so that all can measure at the same
  /// time. First neighbours; later those that seem slow with fast ones, which shows what they carry
  /// themselves, and the others once more with other partners. Where most hosts are slow, a few
  /// rounds leave some of them with no more than what a slow partner let them show.
  std::vector<Pair> pairs(int round) const;

  /// Seconds a byte of an exchange in both directions at once, above 0.
  void note(Pair pair, double byte_s);

  /// By host, the best that it has shown: others can make it seem slower, nothing makes it faster.
  /// Those that are as good as equal have the same, so that noise makes no schedule uneven. Nothing
  /// of a host that was never measured.
  std::vector<std::optional<double>> byte_s() const;

 private:
  std::vector<bool> are_fast() const;  // as good as the fastest, by host

  std::vector<std::optional<double>> best_;  // by host
  std::vector<Pair> measured_;
};

}  // namespace rondo
