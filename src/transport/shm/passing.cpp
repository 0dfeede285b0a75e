#include "transport/shm/passing.hpp"

#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace rondo::process {

namespace {

struct alignas(cmsghdr) ControlBytes {
  std::array<char, CMSG_SPACE(most_passed * sizeof(int))> bytes = {};
};

}  // namespace

int pass(const Descriptor& socket, std::span<const std::byte> bytes, std::span<const int> passed) {
  iovec part = {const_cast<std::byte*>(bytes.data()), bytes.size()};
  msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  ControlBytes control;
  if (!passed.empty()) {
    message.msg_control = control.bytes.data();
    message.msg_controllen = CMSG_SPACE(passed.size_bytes());
    cmsghdr* const head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(passed.size_bytes());
    std::memcpy(CMSG_DATA(head), passed.data(), passed.size_bytes());
  }
  const ssize_t sent = ::sendmsg(socket.fd(), &message, MSG_NOSIGNAL);
  if (sent == static_cast<ssize_t>(bytes.size())) return 0;
  return sent < 0 ? errno : EPIPE;
}

ssize_t take_passed(const Descriptor& socket, std::span<std::byte> bytes,
                    std::span<Descriptor> passed) {
  iovec part = {bytes.data(), bytes.size()};
  msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  ControlBytes control;
  message.msg_control = control.bytes.data();
  message.msg_controllen = control.bytes.size();
  const ssize_t n = ::recvmsg(socket.fd(), &message, MSG_CMSG_CLOEXEC);
  if (n <= 0) return n;
  std::size_t taken = 0;
  for (cmsghdr* head = CMSG_FIRSTHDR(&message); head != nullptr;
       head = CMSG_NXTHDR(&message, head)) {
    if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(head) + i * sizeof fd, sizeof fd);
      Descriptor owned(fd);  // closes what nobody asked for
      if (taken < passed.size()) passed[taken++] = std::move(owned);
    }
  }
  return n;
}

}  // namespace rondo::process
