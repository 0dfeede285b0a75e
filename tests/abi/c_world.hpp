#pragma once

// Worlds of threads for tests of the C functions, and inputs that are a function of rank and index.

#include <gtest/gtest.h>

#include <functional>
#include <thread>
#include <vector>

#include "rondo/rondo.h"

namespace c_world {

inline constexpr std::size_t count = 5;

inline float input(int rank, std::size_t index) {
  return static_cast<float>(rank * rank + 1) + 10 * static_cast<float>(index);
}

inline float sum(int ranks, std::size_t index) {
  float total = 0;
  for (int rank = 0; rank < ranks; ++rank) total += input(rank, index);
  return total;
}

inline std::vector<float> inputs(int rank, std::size_t elements = count) {
  std::vector<float> values(elements);
  for (std::size_t i = 0; i < elements; ++i) values[i] = input(rank, i);
  return values;
}

inline std::vector<float> sums(int ranks, std::size_t first = 0) {
  std::vector<float> values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = sum(ranks, first + i);
  return values;
}

// In place.
inline rondo_call allreduce_of(std::vector<float>& values) {
  rondo_call call = RONDO_CALL_INIT;
  call.collective = RONDO_ALLREDUCE;
  call.send = RONDO_IN_PLACE;
  call.receive = values.data();
  call.count = values.size();
  call.dtype = RONDO_F32;
  return call;
}

// Runs `body` on a thread for each rank of a world, and frees the communicators there.
inline void on_ranks(int ranks, const std::function<void(rondo_comm*, int)>& body,
                     rondo_options options = RONDO_OPTIONS_INIT) {
  std::vector<rondo_comm*> comms(static_cast<std::size_t>(ranks));
  ASSERT_EQ(rondo_comm_local(ranks, &options, comms.data()), RONDO_OK) << rondo_last_error(nullptr);
  std::vector<std::thread> threads;
  for (int rank = 0; rank < ranks; ++rank) {
    threads.emplace_back([&, rank] {
      rondo_comm* comm = comms[static_cast<std::size_t>(rank)];
      EXPECT_EQ(rondo_comm_rank(comm), rank);
      EXPECT_EQ(rondo_comm_size(comm), ranks);
      body(comm, rank);
      rondo_comm_free(comm);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace c_world
