#pragma once

// The ranks one after the other from the root on: in rank order, or in that of the arrangement.

#include "rondo/schedule.hpp"

namespace rondo {

class Line {
 public:
  explicit Line(const Plan& plan) : plan_(plan), first_(position_of(plan.root)) {}

  int node_of(int rank) const { return (position_of(rank) - first_ + plan_.ranks) % plan_.ranks; }
  int rank_of(int node) const {
    const int position = (first_ + node) % plan_.ranks;
    return plan_.arrangement ? plan_.arrangement->rank_at(position) : position;
  }

 private:
  int position_of(int rank) const {
    return plan_.arrangement ? plan_.arrangement->position_of(rank) : rank;
  }

  const Plan& plan_;
  int first_;  // position of the root
};

}  // namespace rondo
