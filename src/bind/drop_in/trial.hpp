#pragma once

// Which way calls of one slot go: found out by going both ways in turn and comparing the times.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace rondo::bind {

enum class Way : std::uint8_t { rondo, below };

/// How long a call takes either way, in nanoseconds.
struct Times {
  double rondo = 0;
  double below = 0;
};

class Trial {
 public:
  /// Calls go either way in rows, of which the first call is not counted: it finds the caches as
  /// the other way left them, which no call does once it is decided. The first row each way is not
  /// counted at all: it makes plans, connections and page tables.
  static constexpr int row = 3;
  static constexpr int rows = 5;  ///< each way
  static constexpr int calls = 2 * rows * row;
  static constexpr int measured = (rows - 1) * (row - 1);

  /// The way of the next call, by the number of those before: alike on all ranks.
  Way next() const { return calls_ / row % 2 == 0 ? Way::rondo : Way::below; }
  /// Of the call that went the way that next() said.
  void add(double nanoseconds);
  bool is_over() const { return calls_ == calls; }
  /// The next calls are the first ones that rondo takes, which open links and make plans.
  bool is_first_row() const { return calls_ < row; }

  /// What this rank has seen: medians, since waiting for a rank that comes late is part of some.
  Times times() const;

 private:
  static double median(const std::array<double, measured>& times);

  int calls_ = 0;
  std::array<double, measured> rondo_{};
  std::array<double, measured> below_{};
};

/// What rondo must save to be taken where nothing has been decided, and to be kept: what so few
/// calls tell is not surer than that, and what was found twice needs less.
enum class Doubt : std::uint8_t { first, again };

/// The way that takes the ranks less time together; the MPI below where rondo does not save a
/// tenth, or, where it was found to be faster before, a twentieth.
Way faster(std::span<const Times> of_all_ranks, Doubt doubt);

}  // namespace rondo::bind
