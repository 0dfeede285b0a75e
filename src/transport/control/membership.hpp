#pragma once

// Who the ranks of a world are, and how each of them is reached.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/hash.hpp"
#include "rondo/fabric.hpp"
#include "transport/tcp/socket.hpp"

namespace rondo::process {

/// What carries data between ranks. automatic: shared memory wherever it reaches, else TCP, or the
/// fabric where remake() says so. fabric: that of the membership, everywhere.
enum class Medium : std::uint8_t { automatic, shm, tcp, fabric };

/// How to reach one rank, and how to name it in messages.
struct Member {
  std::string address;  ///< numeric IPv4 or IPv6
  std::uint16_t port = 0;
  std::string host;
  std::int64_t pid = 0;
  std::uint64_t locality = 0;  ///< alike where memory might be shared
  std::uint64_t door = 0;      ///< names its Unix socket, see shm/door.hpp; 0: it has none
};

/// What the bootstrap hands to the transport.
struct Membership {
  int rank = 0;
  std::vector<Member> members;  ///< by rank; its size is the size of the world
  /// 128 random bits, the same on all ranks; whoever does not know them is a stranger.
  Bits128 token = {};
  Socket listener;  ///< where members[rank] is reached
  Socket door;      ///< the same for ranks of this host; may be missing
  Medium medium = Medium::automatic;
  std::shared_ptr<Fabric> fabric = nullptr;  ///< null: there is none
  /// What this rank may share with its host; the usual.
  std::optional<std::size_t> shared_bytes = {};
};

}  // namespace rondo::process
