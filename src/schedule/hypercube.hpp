#pragma once

// Ranks at the corners of a hypercube, for algorithms in which partners are one bit apart.

#include <bit>

namespace rondo {

/// The largest hypercube that so many ranks fill. Of those left over, each forms a pair with a rank
/// in the cube: among the first 2·pairs ranks, even ones stand aside, and the odd one after them
/// acts for both.
class Hypercube {
 public:
  explicit Hypercube(int ranks)
      : dimensions_(static_cast<int>(std::bit_width(static_cast<unsigned>(ranks))) - 1),
        pairs_(ranks - (1 << dimensions_)) {}

  int dimensions() const { return dimensions_; }
  int nodes() const { return 1 << dimensions_; }
  bool is_paired(int rank) const { return rank < 2 * pairs_; }
  bool stands_aside(int rank) const { return is_paired(rank) && rank % 2 == 0; }
  int node_of(int rank) const { return is_paired(rank) ? rank / 2 : rank - pairs_; }
  int rank_of(int node) const { return node < pairs_ ? 2 * node + 1 : node + pairs_; }

 private:
  int dimensions_;
  int pairs_;
};

}  // namespace rondo
