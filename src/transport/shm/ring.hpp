#pragma once

// Room in a ring of bytes that are written in order and freed in order. Each piece lies side by
// side, so that the end of the ring may stay empty before it.

#include <cstddef>
#include <cstdint>

namespace rondo::process {

class Ring {
 public:
  /// What a piece is rounded up to.
  static constexpr std::size_t granule = 64;
  static constexpr std::size_t rounded(std::size_t bytes) {
    return (bytes + granule - 1) / granule * granule;
  }

  explicit Ring(std::size_t bytes = 0) : bytes_(bytes) {}

  std::size_t bytes() const { return bytes_; }
  /// What is in use ends here. Positions count on over the end of the ring.
  std::uint64_t end() const { return end_; }

  bool has_room(std::size_t bytes) const {
    return end_ + skipped(rounded(bytes)) + rounded(bytes) - begin_ <= bytes_;
  }
  /// Where the piece begins; there is room for it.
  std::size_t reserve(std::size_t bytes) {
    end_ += skipped(rounded(bytes));
    const std::size_t place = end_ % bytes_;
    end_ += rounded(bytes);
    return place;
  }
  /// Everything before this position is free again.
  void free_until(std::uint64_t position) { begin_ = position; }

 private:
  std::size_t skipped(std::size_t bytes) const {
    const std::size_t rest = bytes_ - end_ % bytes_;
    return rest < bytes ? rest : 0;
  }

  std::size_t bytes_;
  std::uint64_t begin_ = 0;
  std::uint64_t end_ = 0;
};

}  // namespace rondo::process
