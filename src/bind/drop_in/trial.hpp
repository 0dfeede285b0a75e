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
  /// The first call each way is not counted: it makes plans, connections and page tables.
  static constexpr int warm_ups = 1;
  static constexpr int measured = 7;

  /// The way of the next call, by the number of those before: alike on all ranks. In turn, though
  /// each way finds the caches as the other one left them: in rows, rondo would be judged by rings
  /// that have not been written yet.
  Way next() const { return calls_ % 2 == 0 ? Way::rondo : Way::below; }
  /// Of the call that went the way that next() said.
  void add(double nanoseconds);
  bool is_over() const { return calls_ == 2 * (warm_ups + measured); }

  /// What this rank has seen. Waiting for a rank that comes late counts for both ways, so the
  /// calls of which it was least tell the most; a single lucky one is not believed.
  Times times() const;

 private:
  static double typical(const std::array<double, measured>& times);

  int calls_ = 0;
  std::array<double, measured> rondo_{};
  std::array<double, measured> below_{};
};

/// The way that takes the ranks less time together; the MPI below where rondo does not save a
/// tenth. What went wrong on a rank counts as endless there.
Way faster(std::span<const Times> of_all_ranks);

}  // namespace rondo::bind
