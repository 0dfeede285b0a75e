#pragma once

// The few socket calls that the bootstrap and the transports between processes share.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/descriptor.hpp"
#include "rondo/error.hpp"

namespace rondo::process {

using Clock = std::chrono::steady_clock;

/// A descriptor that is a socket.
using Socket = Descriptor;

/// Where a listener can be reached.
struct Address {
  std::string host;  ///< numeric; a name is looked up, which may block
  std::uint16_t port = 0;
  std::uint64_t door = 0;  ///< instead of both, that of a Unix socket on this host: shm/door.hpp
};

/// A nonblocking listener on `host` (numeric or a name, IPv4 or IPv6); port 0 picks a free one.
/// All sockets made here are close-on-exec and nonblocking.
Result<Socket> listen_on(std::string_view host, std::uint16_t port);
/// The address that a socket is bound to.
Result<Address> local_address(const Socket& socket);
/// Starts to connect; the socket becomes writable when it has succeeded or failed.
Result<Socket> start_connect(const Address& address);
/// Connects, trying again while nobody answers there (all addresses of a name in turn), until the
/// deadline. Errors: timeout with the last reason; resource; io.
Result<Socket> connect_until(const Address& address, Clock::time_point deadline);
/// Takes one waiting connection; an empty Socket when there is none.
Result<Socket> accept_from(const Socket& listener);
/// Sleeps until the socket is readable (`events` = POLLIN), writable (POLLOUT) or broken; false
/// when the deadline passed first.
bool await(const Socket& socket, short events, Clock::time_point deadline);
/// Whether a socket whose connection was started has arrived; call it when it became writable.
Result<> finish_connect(const Socket& socket);
/// Writes or reads all bytes of a small control message by the deadline.
/// Errors: timeout, peer_lost (end of stream), io.
Result<> write_all(const Socket& socket, std::span<const std::byte> bytes,
                   Clock::time_point deadline);
Result<> read_all(const Socket& socket, std::span<std::byte> bytes, Clock::time_point deadline);

}  // namespace rondo::process
