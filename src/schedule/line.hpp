#pragma once

// The ranks one after the other, as algorithms that know nothing of arrangements and roots see
// them: make_program() has these made for the numbers on the line, and puts the ranks in.
//
// The order is that of ranks, or of the arrangement's positions. That of a rooted collective begins
// at the root and goes round the root's group first, then through the groups after it: so a line
// enters no group twice, and where groups are of one size, they begin at multiples of that. Trees
// that are cut at powers of it cross from group to group as seldom as any tree can.
//
//      groups 0 1 2 3 │ 4 5 6 7 │ 8 9 10 11, root 6:  6 7 4 5 │ 8 9 10 11 │ 0 1 2 3

#include "rondo/schedule.hpp"

namespace rondo {

class Line {
 public:
  explicit Line(const Plan& plan) : arrangement_(plan.arrangement.get()), ranks_(plan.ranks) {
    size_ = ranks_;
    if (!is_rooted(plan.collective)) return;
    first_ = position_of(plan.root);
    if (arrangement_ == nullptr) return;
    const int group = arrangement_->group_of(first_);
    begin_ = arrangement_->begin_of(group);
    size_ = arrangement_->size_of(group);
  }

  int number_of(int rank) const {
    const int position = position_of(rank);
    const int behind = (position - begin_ + ranks_) % ranks_;  // the begin of the first group
    return behind < size_ ? (position - first_ + size_) % size_ : behind;
  }
  int rank_at(int number) const {
    const int behind = number < size_ ? (first_ - begin_ + number) % size_ : number;
    const int position = (begin_ + behind) % ranks_;
    return arrangement_ != nullptr ? arrangement_->rank_at(position) : position;
  }

 private:
  int position_of(int rank) const {
    return arrangement_ != nullptr ? arrangement_->position_of(rank) : rank;
  }

  const Arrangement* arrangement_;
  int ranks_;
  int first_ = 0;  // position of number 0
  int begin_ = 0;  // of its group
  int size_ = 0;
};

}  // namespace rondo
