#include "transport/control/control_link.hpp"

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

namespace rondo::process {

void ControlLink::send(const Notice& notice) {
  if (!is_open()) return;
  unsent_.push_back(notice);
  flush();
}

// A broken connection is left to receive(), which first takes what the peer still had to say.
void ControlLink::flush() {
  while (is_open() && has_unsent()) {
    const auto* bytes = reinterpret_cast<const std::byte*>(&unsent_.front());
    const ssize_t n = ::send(socket_.fd(), bytes + sent_, sizeof(Notice) - sent_, MSG_NOSIGNAL);
    if (n < 0) {
      if (errno == EINTR) continue;
      is_broken_ = errno != EAGAIN;
      return;
    }
    sent_ += static_cast<std::size_t>(n);
    if (sent_ == sizeof(Notice)) {
      sent_ = 0;
      unsent_.pop_front();
    }
  }
}

bool ControlLink::has_arrived() const {
  if (!is_open() || is_broken_) return true;
  if (has_unsent()) return false;
  int unacknowledged = 0;
  return ::ioctl(socket_.fd(), SIOCOUTQ, &unacknowledged) != 0 || unacknowledged == 0;
}

bool ControlLink::receive(Notice& notice) {
  while (is_open()) {
    auto* bytes = reinterpret_cast<std::byte*>(&incoming_);
    const ssize_t n = ::recv(socket_.fd(), bytes + received_, sizeof(Notice) - received_, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return false;
    if (n <= 0) {
      close();
      return false;
    }
    received_ += static_cast<std::size_t>(n);
    if (received_ == sizeof(Notice)) {
      received_ = 0;
      notice = incoming_;
      return true;
    }
  }
  return false;
}

void ControlLink::replace(Socket socket) {
  socket_ = std::move(socket);
  is_broken_ = false;
  sent_ = 0;
  received_ = 0;
  flush();
}

void ControlLink::finish() {
  if (!is_open()) return;
  (void)::shutdown(socket_.fd(), SHUT_WR);
  std::array<std::byte, 4096> unread;
  while (::recv(socket_.fd(), unread.data(), unread.size(), 0) > 0) {
  }
  close();
}

}  // namespace rondo::process
