#pragma once

// Ranks as processes that reach each other over TCP: a stream transport.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/hash.hpp"
#include "rondo/transport.hpp"
#include "transport/tcp/socket.hpp"

namespace rondo::tcp {

/// How to reach one rank, and how to name it in messages.
struct Member {
  std::string address;  ///< numeric IPv4 or IPv6
  std::uint16_t port = 0;
  std::string host;
  std::int64_t pid = 0;
};

/// What the bootstrap hands to the transport.
struct Membership {
  int rank = 0;
  std::vector<Member> members;  ///< by rank; its size is the size of the world
  /// 128 random bits, the same on all ranks; whoever does not know them is a stranger.
  Bits128 token = {};
  Socket listener;  ///< where members[rank] is reached
};

/// Connects the links over which failures are told (O(log size) a rank) and returns the world's
/// transport; data links open when operations first use them. All ranks call it.
/// Errors: join_failed naming the ranks that did not connect by the deadline; resource; io.
Result<std::unique_ptr<Transport>> make_tcp(Membership membership,
                                            Transport::Clock::time_point deadline);

}  // namespace rondo::tcp
