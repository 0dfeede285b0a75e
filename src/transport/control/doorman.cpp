#include "transport/control/doorman.hpp"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>

#include "transport/control/dial.hpp"
#include "transport/shm/door.hpp"

namespace rondo::process {

namespace {

constexpr int most_accepts = 256;  // in one go, so that a flood cannot hold up the caller

Socket open_reserve() {
  return Socket(::open("/dev/null", O_RDONLY | O_CLOEXEC));
}

}  // namespace

Doorman::Doorman(Socket listener, Socket door, const Hello& own, int epoll)
    : listener_(std::move(listener)),
      door_(std::move(door)),
      own_(own),
      epoll_(epoll),
      reserve_(open_reserve()) {
  epoll_event event = {};
  event.events = EPOLLIN;
  (void)::epoll_ctl(epoll_, EPOLL_CTL_ADD, listener_.fd(), &event);
  if (door_) (void)::epoll_ctl(epoll_, EPOLL_CTL_ADD, door_.fd(), &event);
}

void Doorman::progress(Clock::time_point now, std::vector<Guest>& guests) {
  listen_to_all(now, guests);
  accept(listener_, now, guests);
  if (door_) accept(door_, now, guests);
}

void Doorman::accept(const Socket& listener, Clock::time_point now, std::vector<Guest>& guests) {
  for (int i = 0; i < most_accepts; ++i) {
    Result<Socket> socket = accept_from(listener);
    if (!socket) {
      trouble_ = socket.error();
      if (!turn_one_away(listener)) return;
      continue;
    }
    if (!socket.value()) return;
    if (waiting_.size() == most_waiting) {
      // Members speak at once, so whoever has been silent for longest is none.
      listen_to_all(now, guests);
      if (waiting_.size() == most_waiting) {
        waiting_.pop_front();
        ++strangers_;
      }
    }
    trouble_.reset();
    Candidate candidate{std::move(socket).value(), &listener == &door_, now, {}, 0};
    switch (listen_to(candidate)) {
      case Verdict::guest:
        guests.push_back({candidate.hello, std::move(candidate.socket)});
        break;
      case Verdict::stranger:
        ++strangers_;
        break;
      case Verdict::wait:
        if (watch(epoll_, candidate.socket.fd(), 0)) waiting_.push_back(std::move(candidate));
        break;
    }
  }
}

// Without a free descriptor a waiting connection could neither be taken nor refused, and would keep
// the listener readable for ever. Members that are refused try again.
bool Doorman::turn_one_away(const Socket& listener) {
  if (!reserve_) return false;
  reserve_.close();
  Result<Socket> unlucky = accept_from(listener);
  const bool cleared = unlucky.ok() && unlucky.value();
  if (cleared) unlucky.value().close();
  reserve_ = open_reserve();
  return cleared;
}

void Doorman::listen_to_all(Clock::time_point now, std::vector<Guest>& guests) {
  for (auto candidate = waiting_.begin(); candidate != waiting_.end();) {
    const Verdict verdict = listen_to(*candidate);
    if (verdict == Verdict::wait && now - candidate->since < patience) {
      ++candidate;
      continue;
    }
    if (verdict == Verdict::guest) {
      // From now on somebody else watches it.
      (void)::epoll_ctl(epoll_, EPOLL_CTL_DEL, candidate->socket.fd(), nullptr);
      guests.push_back({candidate->hello, std::move(candidate->socket)});
    } else {
      ++strangers_;
    }
    candidate = waiting_.erase(candidate);
  }
}

Doorman::Verdict Doorman::listen_to(Candidate& candidate) const {
  auto* bytes = reinterpret_cast<std::byte*>(&candidate.hello);
  while (candidate.received < sizeof candidate.hello) {
    const ssize_t n = ::recv(candidate.socket.fd(), bytes + candidate.received,
                             sizeof candidate.hello - candidate.received, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) break;
    if (n <= 0) return Verdict::stranger;
    candidate.received += static_cast<std::size_t>(n);
  }
  const bool knows_magic = candidate.received < sizeof candidate.hello.magic ||
                           candidate.hello.magic == Hello::right_magic;
  if (!knows_magic) return Verdict::stranger;
  if (candidate.received < sizeof candidate.hello) return Verdict::wait;
  return judge(candidate);
}

Doorman::Verdict Doorman::judge(const Candidate& candidate) const {
  const Hello& hello = candidate.hello;
  if (candidate.is_at_door && !is_of_same_user(candidate.socket)) return Verdict::stranger;
  if (!same_bits(hello.token, own_.token)) return Verdict::stranger;
  // The fields after the token mean the same only within one version.
  if (hello.version != own_.version) return Verdict::guest;
  const bool makes_sense = hello.to == own_.from && hello.size == own_.size && hello.from >= 0 &&
                           hello.from < own_.size && hello.from != own_.from &&
                           hello.kind <= Hello::Kind::memory &&
                           (hello.kind == Hello::Kind::memory) == candidate.is_at_door;
  return makes_sense ? Verdict::guest : Verdict::stranger;
}

}  // namespace rondo::process
