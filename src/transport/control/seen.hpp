#pragma once

// Which notices of one origin have been taken.

#include <bitset>
#include <cstddef>
#include <cstdint>

namespace rondo::process {

/// Ids that count from 1 and come over several paths: more than once, and not quite in order. What
/// is far behind the newest one counts as taken.
class SeenIds {
 public:
  static constexpr std::size_t window = 256;

  /// True for an id that comes for the first time.
  bool take(std::uint64_t id) {
    if (id > newest_) {
      const std::uint64_t ahead = id - newest_;
      seen_ = ahead < window ? seen_ << static_cast<std::size_t>(ahead) : std::bitset<window>();
      newest_ = id;
    }
    const std::uint64_t behind = newest_ - id;
    if (id == 0 || behind >= window || seen_[static_cast<std::size_t>(behind)]) return false;
    seen_.set(static_cast<std::size_t>(behind));
    return true;
  }

 private:
  std::uint64_t newest_ = 0;
  std::bitset<window> seen_;  // by how far behind the newest one
};

}  // namespace rondo::process
