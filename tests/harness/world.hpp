#pragma once

// Ranks as threads: the default way to test a collective.

#include <gtest/gtest.h>

#include <exception>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "rondo/communicator.hpp"

namespace rondo::testing {

/// Runs `body` on each communicator of a local world, one thread a rank, and reports what a rank
/// threw as a test failure that names the rank.
inline void on_all_ranks(std::vector<Communicator>& world,
                         const std::function<void(Communicator&)>& body) {
  std::vector<std::string> failures(world.size());
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < world.size(); ++i) {
    threads.emplace_back([&, i] {
      try {
        body(world[i]);
      } catch (const std::exception& thrown) {
        failures[i] = thrown.what();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (std::size_t i = 0; i < failures.size(); ++i) {
    if (!failures[i].empty()) ADD_FAILURE() << "rank " << i << " threw: " << failures[i];
  }
}

inline void on_world(int ranks, const Options& options,
                     const std::function<void(Communicator&)>& body) {
  std::vector<Communicator> world = Communicator::local(ranks, options);
  on_all_ranks(world, body);
}

/// The error that `call` throws; a test failure when it doesn't.
inline Error error_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "no error was thrown";
  return Error(ErrorCode::internal, "no error was thrown");
}

}  // namespace rondo::testing
