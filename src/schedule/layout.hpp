#pragma once

// Where the elements of a segment lie: the one place in which symbolic segments become numbers.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "rondo/schedule.hpp"

namespace rondo {

/// A run of elements.
struct Extent {
  std::size_t begin = 0;
  std::size_t count = 0;
  friend bool operator==(const Extent&, const Extent&) = default;
};

/// Splits the vector: together the segments cover it exactly, in order and without overlap.
class Layout {
 public:
  /// Equal blocks of `count` elements, each split evenly: segments of a block differ by at most one
  /// element, the longer ones first. `count` is the whole vector for collectives without blocks,
  /// and what one rank contributes or receives for the others.
  Layout(const Shape& shape, std::size_t count)
      : segments_(shape.segments),
        count_(count),
        quotient_(count / shape.segments),
        remainder_(count % shape.segments),
        longest_(quotient_ + (remainder_ > 0 ? 1 : 0)) {}

  /// One block of `count` elements, split in proportion to the weights of its segments, none of
  /// which is off its share by an element or more.
  static Layout weighted(std::size_t count, std::span<const std::uint32_t> weights);
  /// Blocks of different lengths, each split evenly.
  static Layout of_blocks(const Shape& shape, std::span<const std::size_t> counts);
  /// By the weights of the plan's arrangement where it has any, else evenly.
  static Layout of(const Plan& plan, const Shape& shape, std::size_t count);

  /// Elements of one segment of the vector, as an extent of the vector.
  Extent segment(std::size_t index) const {
    if (!starts_.empty()) return {starts_[index], starts_[index + 1] - starts_[index]};
    // Divided only where it must be: a division takes as long as ten other steps.
    const std::size_t block = index < segments_ ? 0 : segments_ == 1 ? index : index / segments_;
    const std::size_t i = index - block * segments_;
    const std::size_t longer = i < remainder_ ? i : remainder_;
    return {block * count_ + i * quotient_ + longer, quotient_ + (i < remainder_ ? 1 : 0)};
  }
  /// Elements of `count` consecutive segments.
  Extent run(std::size_t first, std::size_t count) const {
    const std::size_t begin = segment(first).begin;
    const Extent last = segment(first + count - 1);
    return {begin, last.begin + last.count - begin};
  }
  /// Elements of the longest segment.
  std::size_t longest() const { return longest_; }

 private:
  Layout() = default;
  void end_segment(std::size_t end);

  std::size_t segments_ = 1;
  std::size_t count_ = 0;
  std::size_t quotient_ = 0;
  std::size_t remainder_ = 0;
  std::size_t longest_ = 0;
  std::vector<std::size_t> starts_;  // and the end of the last one; empty for equal blocks
};

}  // namespace rondo
