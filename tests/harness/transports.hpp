#pragma once

// Worlds of transports in one process, for tests below the API.

#include <gtest/gtest.h>

#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "rondo/transport.hpp"
#include "transport/inproc.hpp"
#include "transport/route/make.hpp"
#include "transport/shm/door.hpp"

namespace rondo::testing {

/// Runs `body` for each rank on a thread of its own; what one throws is a test failure.
inline void on_threads(int ranks, const std::function<void(int)>& body) {
  std::vector<std::jthread> threads;
  for (int rank = 0; rank < ranks; ++rank) {
    threads.emplace_back([&body, rank] {
      try {
        body(rank);
      } catch (const std::exception& thrown) {
        ADD_FAILURE() << "rank " << rank << " threw: " << thrown.what();
      }
    });
  }
}

/// By rank; "inproc", or as between processes: "shm", or "tcp" over loopback.
inline std::vector<std::unique_ptr<Transport>> make_world(std::string_view transport, int ranks) {
  if (transport == "inproc") return make_inproc(ranks);
  std::vector<process::Membership> members(static_cast<std::size_t>(ranks));
  for (int rank = 0; rank < ranks; ++rank) {
    process::Membership& own = members[static_cast<std::size_t>(rank)];
    own.rank = rank;
    own.listener = process::listen_on("127.0.0.1", 0).value();
    const process::Address address = process::local_address(own.listener).value();
    own.medium = transport == "shm" ? process::Medium::shm : process::Medium::tcp;
    process::Door door = process::open_door().value();
    own.door = std::move(door.listener);
    for (process::Membership& each : members) {
      each.members.push_back(
          {address.host, address.port, "here", rank, process::locality(), door.id});
    }
  }
  std::vector<std::unique_ptr<Transport>> world(members.size());
  const auto deadline = Transport::Clock::now() + std::chrono::seconds(30);
  on_threads(ranks, [&](int rank) {
    const auto index = static_cast<std::size_t>(rank);
    world[index] = process::make_transport(std::move(members[index]), deadline).value();
  });
  return world;
}

}  // namespace rondo::testing
