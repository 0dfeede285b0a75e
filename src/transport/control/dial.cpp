#include "transport/control/dial.hpp"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "base/text.hpp"
#include "transport/shm/door.hpp"

namespace rondo::process {

namespace {

constexpr auto longest_pause = std::chrono::milliseconds(50);
constexpr auto hopeless_time = std::chrono::milliseconds(500);

bool is_ready(int fd, short events) {
  pollfd entry = {fd, events, 0};
  return ::poll(&entry, 1, 0) > 0;
}

bool should_wait() {
  return errno == EAGAIN || errno == EINTR;
}

}  // namespace

Error other_version(const Hello& theirs, const Hello& ours) {
  return Error(ErrorCode::protocol, theirs.from,
               concat("rank ", theirs.from, " speaks version ", theirs.version,
                      " of rondo's protocol, rank ", ours.from, " version ", ours.version,
                      "; install the same rondo on all hosts"));
}

Result<> watch(int epoll, int fd, std::uint64_t tag) {
  epoll_event event = {};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.u64 = tag;
  if (::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0) return {};
  if (errno == EEXIST && ::epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event) == 0) return {};
  return system_error("cannot watch a connection", errno);
}

Result<Socket> Dial::advance(Clock::time_point now) {
  if (!socket_) {
    if (now < next_attempt_) return Socket();
    Result<Socket> socket = address_.door != 0 ? knock(address_.door) : start_connect(address_);
    if (!socket && is_final(socket.error(), now)) return socket;
    if (!socket) {
      start_again(now);
      return Socket();
    }
    socket_ = std::move(socket).value();
    if (Result<> watched = watch(epoll_, socket_.fd(), tag_); !watched) return watched.error();
  }
  if (!connected_) {
    if (!is_ready(socket_.fd(), POLLOUT)) return Socket();
    if (!finish_connect(socket_)) {
      start_again(now);
      return Socket();
    }
    connected_ = true;
  }
  if (!send_hello()) {
    start_again(now);
    return Socket();
  }
  const Result<bool> answered = receive_answer();
  if (!answered) {
    start_again(now);
    if (answered.error().code() == ErrorCode::protocol) return answered.error();
    return Socket();
  }
  if (!answered.value()) return Socket();
  return std::move(socket_);
}

bool Dial::is_final(const Error& error, Clock::time_point now) {
  if (error.code() == ErrorCode::resource) return true;
  if (error.code() != ErrorCode::unsupported) return false;
  if (!hopeless_since_) hopeless_since_ = now;
  return now - *hopeless_since_ >= hopeless_time;
}

void Dial::start_again(Clock::time_point now) {
  socket_.close();
  connected_ = false;
  sent_ = received_ = 0;
  next_attempt_ = now + pause_;
  pause_ = std::min(pause_ * 2, longest_pause);
}

// False when the connection broke.
bool Dial::send_hello() {
  while (sent_ < sizeof hello_) {
    const auto* bytes = reinterpret_cast<const std::byte*>(&hello_);
    const ssize_t n = ::send(socket_.fd(), bytes + sent_, sizeof hello_ - sent_, MSG_NOSIGNAL);
    if (n < 0) return should_wait();
    sent_ += static_cast<std::size_t>(n);
  }
  return true;
}

// True when the whole answer is there and is the right one. An error other than `protocol` means
// that the connection broke or that somebody else answered.
Result<bool> Dial::receive_answer() {
  while (received_ < sizeof answer_) {
    auto* bytes = reinterpret_cast<std::byte*>(&answer_);
    const ssize_t n = ::recv(socket_.fd(), bytes + received_, sizeof answer_ - received_, 0);
    if (n < 0 && should_wait()) return false;
    if (n <= 0) return Error(ErrorCode::peer_lost, "the connection broke");
    received_ += static_cast<std::size_t>(n);
  }
  const bool known = answer_.magic == Hello::right_magic && same_bits(answer_.token, hello_.token);
  if (!known || answer_.from != hello_.to) return Error(ErrorCode::io, "somebody else answered");
  if (answer_.version != hello_.version) return other_version(answer_, hello_);
  return true;
}

}  // namespace rondo::process
