#pragma once

// Where processes of one host meet in order to share memory: a Unix socket with a random name in
// the abstract namespace, which is gone with its process. It passes descriptors, and the kernel
// says whose process is at the other end.

#include <cstdint>

#include "transport/tcp/socket.hpp"

namespace rondo::process {

struct Door {
  Socket listener;
  std::uint64_t id = 0;  ///< not 0
};

/// Errors: resource, io (the system has no such sockets).
Result<Door> open_door();
/// Connects to the door of another process. Errors: unsupported, where trying again is useless:
/// there is no such door in this network namespace, or it is another user's; resource; io.
Result<Socket> knock(std::uint64_t id);
/// Whether the process at the other end of a Unix socket is of the same user.
bool is_of_same_user(const Socket& socket);
/// A number that differs where memory cannot be shared: between systems, network and user
/// namespaces, and users.
std::uint64_t locality();

}  // namespace rondo::process
