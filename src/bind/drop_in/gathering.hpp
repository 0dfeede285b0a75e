#pragma once

// Statistics of all ranks on their way to rank 0, in MPI_Finalize.

#include <mpi.h>

#include <chrono>
#include <climits>
#include <cstddef>
#include <cstring>
#include <memory>
#include <vector>

#include "bind/await.hpp"

namespace rondo::bind {

/// MPI's Igather of `bytes` of each rank, by all ranks of the world; only rank 0 has room in `all`.
/// False where some rank did not come in time: it may be gone, or know nothing of statistics.
template <class Igather, class Test>
bool gather_in_time(Igather igather, Test test, MPI_Comm world, MPI_Datatype byte, const void* mine,
                    void* all, std::size_t bytes, std::size_t ranks) {
  constexpr std::chrono::seconds patience(20);
  struct Table {
    std::vector<std::byte> mine;
    std::vector<std::byte> all;
  };
  if (bytes > INT_MAX) return false;
  auto table = std::make_unique<Table>();
  table->mine.resize(bytes);
  std::memcpy(table->mine.data(), mine, bytes);
  if (all != nullptr) table->all.resize(bytes * ranks);
  const int count = static_cast<int>(bytes);
  MPI_Request request = {};
  if (igather(table->mine.data(), count, byte, table->all.data(), count, byte, 0, world,
              &request) != MPI_SUCCESS) {
    return false;
  }
  bool is_whole = true;
  const auto is_done = [&] {
    int flag = 0;
    is_whole = test(&request, &flag, MPI_STATUS_IGNORE) == MPI_SUCCESS;
    return flag != 0 || !is_whole;
  };
  if (!await(is_done, patience) || !is_whole) {
    (void)table.release();  // MPI may still write it
    return false;
  }
  if (all != nullptr) std::memcpy(all, table->all.data(), table->all.size());
  return true;
}

}  // namespace rondo::bind
