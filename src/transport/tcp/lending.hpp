#pragma once

// Buffers for bytes that a receiver borrows; kept for the next message when they come back.

#include <cstddef>
#include <memory>
#include <vector>

namespace rondo::process {

class Lending {
 public:
  std::byte* lend(std::size_t size);
  /// Ends a loan; anything else than a buffer on loan is ignored.
  void take_back(const std::byte* data);
  /// Buffers that are kept for later loans.
  std::size_t idle() const { return idle_.size(); }

  static constexpr std::size_t most_idle = 16;

 private:
  struct Buffer {
    std::unique_ptr<std::byte[]> data;
    std::size_t size = 0;
  };

  std::vector<Buffer> idle_;  // by size
  std::vector<Buffer> lent_;
};

}  // namespace rondo::process
