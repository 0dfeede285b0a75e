#pragma once

// Ranks as processes, which share memory or use TCP.

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <exception>
#include <functional>
#include <iostream>
#include <string>
#include <vector>

#include "harness/folder.hpp"
#include "rondo/communicator.hpp"

namespace rondo::testing {

/// What a rank expects in vain makes its process fail, and that is a test failure here.
inline int run_process(const Options& options, const std::function<void(Communicator&)>& body) {
  try {
    Communicator comm = Communicator::from_env(options);
    body(comm);
  } catch (const std::exception& thrown) {
    std::cerr << "a rank threw: " << thrown.what() << std::endl;
    return 1;
  }
  return ::testing::Test::HasFailure() ? 1 : 0;
}

/// Runs `body` on a world of processes, one a rank. Only in programs without threads.
inline void on_processes_over(const std::string& transport, int ranks, Options options,
                              const std::function<void(Communicator&)>& body) {
  options.transport = transport;
  const Folder folder;
  std::vector<pid_t> children;
  for (int rank = 0; rank < ranks; ++rank) {
    const pid_t child = ::fork();
    if (child == 0) {
      ::setenv("RONDO_RANK", std::to_string(rank).c_str(), 1);
      ::setenv("RONDO_SIZE", std::to_string(ranks).c_str(), 1);
      ::setenv("RONDO_STORE", ("file:" + folder.path("store")).c_str(), 1);
      const int code = run_process(options, body);
      std::cout.flush();
      ::_exit(code);
    }
    children.push_back(child);
  }
  for (int rank = 0; rank < ranks; ++rank) {
    int status = -1;
    EXPECT_EQ(::waitpid(children[static_cast<std::size_t>(rank)], &status, 0),
              children[static_cast<std::size_t>(rank)]);
    EXPECT_EQ(status, 0) << "rank " << rank << " over " << transport << " failed";
  }
}

/// Runs `body` on worlds of processes, one a rank, over each transport or that of the options. Only
/// in programs without threads.
inline void on_processes(int ranks, const Options& options,
                         const std::function<void(Communicator&)>& body) {
  if (options.transport) return on_processes_over(*options.transport, ranks, options, body);
  for (const char* transport : {"shm", "tcp"}) {
    on_processes_over(transport, ranks, options, body);
  }
}

}  // namespace rondo::testing
