#include "transport/shm/door.hpp"

#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <fstream>
#include <span>
#include <string>

#include "base/hash.hpp"
#include "base/text.hpp"

namespace rondo::process {

namespace {

constexpr int backlog = 4096;  // the kernel lowers it to its own limit

struct DoorAddress {
  sockaddr_un address = {};
  socklen_t length = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&address); }
};

// A name that begins with a zero byte is no file.
DoorAddress address_of(std::uint64_t id) {
  DoorAddress door;
  door.address.sun_family = AF_UNIX;
  char* const name = door.address.sun_path;
  const int written = std::snprintf(name + 1, sizeof door.address.sun_path - 1, "rondo-%016llx",
                                    static_cast<unsigned long long>(id));
  door.length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + written);
  return door;
}

Result<Socket> open_unix_socket() {
  Socket socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket) return system_error("cannot open a Unix socket", errno);
  return socket;
}

std::string link_target(const char* path) {
  std::array<char, 64> target{};
  const ssize_t length = ::readlink(path, target.data(), target.size());
  return length > 0 ? std::string(target.data(), static_cast<std::size_t>(length)) : "";
}

}  // namespace

Result<Door> open_door() {
  Door door;
  while (door.id == 0) {
    const ssize_t count = ::getrandom(&door.id, sizeof door.id, 0);
    if (count < 0 && errno != EINTR) return system_error("no random bits", errno);
  }
  Result<Socket> socket = open_unix_socket();
  if (!socket) return socket.error();
  door.listener = std::move(socket).value();
  const DoorAddress address = address_of(door.id);
  if (::bind(door.listener.fd(), address.get(), address.length) != 0 ||
      ::listen(door.listener.fd(), backlog) != 0) {
    return system_error("cannot listen on a Unix socket", errno);
  }
  return door;
}

Result<Socket> knock(std::uint64_t id) {
  Result<Socket> socket = open_unix_socket();
  if (!socket) return socket;
  const DoorAddress address = address_of(id);
  if (::connect(socket.value().fd(), address.get(), address.length) != 0) {
    const int number = errno;
    const Error error = system_error("cannot reach its Unix socket", number);
    const bool is_busy = number == EAGAIN || number == EINTR || error.code() == ErrorCode::resource;
    return is_busy ? error : Error(ErrorCode::unsupported, error.text());
  }
  if (is_of_same_user(socket.value())) return socket;
  return Error(ErrorCode::unsupported, "its Unix socket is another user's");
}

bool is_of_same_user(const Socket& socket) {
  ucred peer = {};
  socklen_t length = sizeof peer;
  return ::getsockopt(socket.fd(), SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 &&
         peer.uid == ::geteuid();
}

std::uint64_t locality() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string id;
  file >> id;
  const std::string place = concat(id, link_target("/proc/self/ns/net"),
                                   link_target("/proc/self/ns/user"), " ", ::geteuid());
  return splitmix(fnv1a(std::as_bytes(std::span(place))));
}

}  // namespace rondo::process
