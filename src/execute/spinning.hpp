#pragma once

// Whether a rank that waits polls for a while before it goes to sleep.

#include <algorithm>
#include <chrono>

namespace rondo {

/// Polling pays where the other ranks run meanwhile. Where other programs want the cores, too, it
/// is what keeps the ranks from running: then what is waited for comes soon after this rank has
/// gone to sleep. After some such waits in a row it goes to sleep at once, and tries again now and
/// then, the more seldom the more often in vain.
class Spinning {
 public:
  /// After the last byte moved. Waking up costs about 25 µs on Linux, a poll below 1 µs.
  static constexpr std::chrono::microseconds longest{200};

  bool pays() const { return rests_left_ == 0; }
  /// What was waited for came while this rank polled.
  void came_in_time() {
    in_vain_ = 0;
    rests_ = first_rests;
  }
  /// It came so long after this rank had gone to sleep.
  void came_late(std::chrono::microseconds asleep) {
    if (!pays()) {
      --rests_left_;
    } else if (asleep <= soon && ++in_vain_ >= most_in_vain) {
      rests_left_ = rests_;
      rests_ = std::min(2 * rests_, most_rests);
    }
  }

 private:
  // What takes longer is late for reasons of its own: to have polled before cost nothing then.
  static constexpr std::chrono::microseconds soon{1000};
  static constexpr unsigned most_in_vain = 3;
  static constexpr unsigned first_rests = 4;
  static constexpr unsigned most_rests = 64;

  unsigned in_vain_ = 0;
  unsigned rests_ = first_rests;
  unsigned rests_left_ = 0;
};

}  // namespace rondo
