#include "transport/tcp/socket.hpp"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <vector>

#include "base/text.hpp"

namespace rondo::process {

namespace {

constexpr int backlog = 4096;          // the kernel lowers it to its own limit
constexpr int buffer_bytes = 4 << 20;  // above this loopback and 25 GbE gain nothing
constexpr auto first_pause = std::chrono::milliseconds(2);
constexpr auto longest_pause = std::chrono::milliseconds(100);

struct Resolved {
  sockaddr_storage storage = {};
  socklen_t length = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

Result<std::vector<Resolved>> resolve(std::string_view host, std::uint16_t port, int flags) {
  addrinfo hints = {};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  addrinfo* list = nullptr;
  const std::string node(host);
  const int status = ::getaddrinfo(node.empty() ? nullptr : node.c_str(),
                                   std::to_string(port).c_str(), &hints, &list);
  if (status != 0) {
    return Error(ErrorCode::io,
                 concat("cannot find the address of \"", host, "\": ", ::gai_strerror(status)));
  }
  std::vector<Resolved> found;
  for (const addrinfo* entry = list; entry != nullptr; entry = entry->ai_next) {
    if (entry->ai_addrlen > sizeof(sockaddr_storage)) continue;
    Resolved& resolved = found.emplace_back();
    std::memcpy(&resolved.storage, entry->ai_addr, entry->ai_addrlen);
    resolved.length = entry->ai_addrlen;
  }
  ::freeaddrinfo(list);
  if (found.empty()) return Error(ErrorCode::io, concat("\"", host, "\" has no address"));
  return found;
}

// A buffer size that is set by hand switches the kernel's own tuning off, so it is worth having
// only where the system allows all of it.
bool system_allows_large_buffers(int fd, int option) {
  int size = buffer_bytes;
  if (::setsockopt(fd, SOL_SOCKET, option, &size, sizeof size) != 0) return false;
  socklen_t length = sizeof size;
  return ::getsockopt(fd, SOL_SOCKET, option, &size, &length) == 0 && size >= buffer_bytes;
}

void enlarge_buffers(int fd) {
  struct Allowed {
    bool send = false;
    bool receive = false;
  };
  static const Allowed allowed = [] {
    const Socket probe(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    return Allowed{system_allows_large_buffers(probe.fd(), SO_SNDBUF),
                   system_allows_large_buffers(probe.fd(), SO_RCVBUF)};
  }();
  const int size = buffer_bytes;
  if (allowed.send) (void)::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
  if (allowed.receive) (void)::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
}

void send_without_delay(int fd) {
  const int on = 1;
  (void)::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

Result<Socket> open_stream(int family) {
  Socket socket(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket) return system_error("cannot open a socket", errno);
  enlarge_buffers(socket.fd());
  return socket;
}

Result<Socket> start_connect(const Resolved& target, const Address& address) {
  Result<Socket> socket = open_stream(target.storage.ss_family);
  if (!socket) return socket;
  send_without_delay(socket.value().fd());
  if (::connect(socket.value().fd(), target.get(), target.length) == 0) return socket;
  // An interrupted connect goes on in the background, like one in progress.
  if (errno == EINPROGRESS || errno == EINTR) return socket;
  return system_error(concat("cannot connect to ", address.host, ":", address.port), errno);
}

// Linux connects a socket to itself when it happens to pick the port it connects to, which can
// happen on loopback while the listener is not there yet.
bool is_connected_to_itself(int fd) {
  Resolved own;
  Resolved peer;
  own.length = peer.length = sizeof(sockaddr_storage);
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&own.storage), &own.length) != 0) return false;
  if (::getpeername(fd, reinterpret_cast<sockaddr*>(&peer.storage), &peer.length) != 0) {
    return false;
  }
  return own.length == peer.length && std::memcmp(&own.storage, &peer.storage, own.length) == 0;
}

void pause_until(Clock::time_point end) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now());
  if (left.count() > 0) (void)::poll(nullptr, 0, static_cast<int>(left.count()));
}

int milliseconds_until(Clock::time_point deadline) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
  return static_cast<int>(std::clamp<decltype(left)>(left, 0, 60'000));
}

bool would_block(int number) {
  return number == EAGAIN || number == EWOULDBLOCK;
}

Error timed_out(std::string_view what) {
  return Error(ErrorCode::timeout, concat(what, " was not complete by the deadline"));
}

}  // namespace

Result<Socket> listen_on(std::string_view host, std::uint16_t port) {
  Result<std::vector<Resolved>> targets = resolve(host, port, AI_PASSIVE);
  if (!targets) return targets.error();
  std::optional<Error> failure;
  for (const Resolved& target : targets.value()) {
    Result<Socket> socket = open_stream(target.storage.ss_family);
    if (!socket) return socket;
    const int fd = socket.value().fd();
    // A port of a run that has just ended is free again at once.
    const int on = 1;
    (void)::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (::bind(fd, target.get(), target.length) == 0 && ::listen(fd, backlog) == 0) return socket;
    failure = system_error(concat("cannot listen on ", host, ":", port), errno);
  }
  return *failure;
}

Result<Address> local_address(const Socket& socket) {
  Resolved own;
  own.length = sizeof own.storage;
  if (::getsockname(socket.fd(), reinterpret_cast<sockaddr*>(&own.storage), &own.length) != 0) {
    return system_error("cannot read a socket's address", errno);
  }
  char host[NI_MAXHOST];
  char port[NI_MAXSERV];
  const int status = ::getnameinfo(own.get(), own.length, host, sizeof host, port, sizeof port,
                                   NI_NUMERICHOST | NI_NUMERICSERV);
  if (status != 0) {
    return Error(ErrorCode::io, concat("cannot read a socket's address: ", ::gai_strerror(status)));
  }
  return Address{host, static_cast<std::uint16_t>(std::stoul(port))};
}

Result<Socket> start_connect(const Address& address) {
  Result<std::vector<Resolved>> targets = resolve(address.host, address.port, 0);
  if (!targets) return targets.error();
  return start_connect(targets.value().front(), address);
}

Result<> finish_connect(const Socket& socket) {
  int number = 0;
  socklen_t length = sizeof number;
  if (::getsockopt(socket.fd(), SOL_SOCKET, SO_ERROR, &number, &length) != 0) number = errno;
  if (number == 0 && is_connected_to_itself(socket.fd())) number = ECONNREFUSED;
  if (number != 0) return system_error("cannot connect", number);
  return {};
}

Result<Socket> connect_until(const Address& address, Clock::time_point deadline) {
  const std::string what = concat("cannot connect to ", address.host, ":", address.port);
  Result<std::vector<Resolved>> targets = resolve(address.host, address.port, 0);
  if (!targets) return targets.error();
  std::string reason = "no answer";
  auto pause = std::chrono::milliseconds(first_pause);
  for (std::size_t attempt = 0;; ++attempt) {
    const Resolved& target = targets.value()[attempt % targets.value().size()];
    Result<Socket> socket = start_connect(target, address);
    if (!socket && socket.error().code() == ErrorCode::resource) return socket;
    if (!socket) {
      reason = socket.error().text();
    } else if (await(socket.value(), POLLOUT, deadline)) {
      const Result<> arrived = finish_connect(socket.value());
      if (arrived) return socket;
      reason = arrived.error().text();
    }
    const auto now = Clock::now();
    if (now >= deadline) break;
    if ((attempt + 1) % targets.value().size() == 0) {
      pause_until(std::min(now + pause, deadline));
      pause = std::min(pause * 2, longest_pause);
    }
  }
  return Error(ErrorCode::timeout, concat(what, " by the deadline (", reason, ")"));
}

Result<Socket> accept_from(const Socket& listener) {
  for (;;) {
    Socket socket(::accept4(listener.fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (socket) {
      send_without_delay(socket.fd());
      return socket;
    }
    switch (errno) {
      case EAGAIN:
        return Socket();
      case EMFILE:
      case ENFILE:
      case ENOBUFS:
      case ENOMEM:
      case EBADF:
      case EINVAL:
      case ENOTSOCK:
      case EOPNOTSUPP:
        return system_error("cannot accept a connection", errno);
      default:
        // Interrupted, or the waiting connection itself has failed: it is somebody else's trouble.
        break;
    }
  }
}

bool await(const Socket& socket, short events, Clock::time_point deadline) {
  pollfd entry = {socket.fd(), events, 0};
  for (;;) {
    if (::poll(&entry, 1, milliseconds_until(deadline)) > 0) return true;
    if (Clock::now() >= deadline) return false;
  }
}

Result<> write_all(const Socket& socket, std::span<const std::byte> bytes,
                   Clock::time_point deadline) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(socket.fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent >= 0) {
      bytes = bytes.subspan(static_cast<std::size_t>(sent));
    } else if (would_block(errno)) {
      if (!await(socket, POLLOUT, deadline)) return timed_out("writing a message");
    } else if (errno == EPIPE || errno == ECONNRESET) {
      return Error(ErrorCode::peer_lost, "the other side closed the connection");
    } else if (errno != EINTR) {
      return system_error("cannot write to a connection", errno);
    }
  }
  return {};
}

Result<> read_all(const Socket& socket, std::span<std::byte> bytes, Clock::time_point deadline) {
  while (!bytes.empty()) {
    const ssize_t received = ::recv(socket.fd(), bytes.data(), bytes.size(), 0);
    if (received > 0) {
      bytes = bytes.subspan(static_cast<std::size_t>(received));
    } else if (received == 0 || errno == ECONNRESET) {
      return Error(ErrorCode::peer_lost, "the other side closed the connection");
    } else if (would_block(errno)) {
      if (!await(socket, POLLIN, deadline)) return timed_out("reading a message");
    } else if (errno != EINTR) {
      return system_error("cannot read from a connection", errno);
    }
  }
  return {};
}

}  // namespace rondo::process
