#pragma once

// Ranks as threads that exchange bytes by means of their own.

#include <barrier>
#include <cstddef>
#include <cstring>
#include <span>
#include <vector>

#include "rondo/out_of_band.hpp"

namespace rondo::testing {

/// One table that all threads write into and read. Must outlive what it gives.
class ThreadsAllgather {
 public:
  explicit ThreadsAllgather(int ranks) : ranks_(ranks), everybody_(ranks) {}

  OutOfBand of(int rank) {
    return {rank, ranks_,
            [this, rank](std::span<const std::byte> mine, std::span<std::byte> all) {
              if (rank == 0) table_.resize(all.size());
              everybody_.arrive_and_wait();
              std::memcpy(table_.data() + static_cast<std::size_t>(rank) * mine.size(), mine.data(),
                          mine.size());
              everybody_.arrive_and_wait();
              std::memcpy(all.data(), table_.data(), all.size());
              everybody_.arrive_and_wait();
            },
            nullptr};
  }

 private:
  int ranks_;
  std::barrier<> everybody_;
  std::vector<std::byte> table_;
};

}  // namespace rondo::testing
