#include "bootstrap/gathering.hpp"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "base/text.hpp"
#include "bootstrap/address.hpp"

namespace rondo {

namespace {

using std::chrono::milliseconds;

constexpr auto hello_deadline = std::chrono::seconds(2);
constexpr std::size_t undecided_most = 64;
constexpr auto disagreement_grace = milliseconds(500);
constexpr auto tell_deadline = std::chrono::seconds(2);
constexpr int accepts_most = 256;  // in a row, before the others get their turn

}  // namespace

Gathering::Gathering(process::Socket listener, wire::Hello own, Clock::time_point start,
                     Clock::time_point deadline)
    : listener_(std::move(listener)),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      own_(own),
      roll_call_(std::move(own)),
      start_(start),
      deadline_(deadline),
      fd_of_rank_(static_cast<std::size_t>(own_.size), -1) {}

Result<> Gathering::gather() {
  epoll_event event = {};
  event.events = EPOLLIN;
  event.data.fd = listener_.fd();
  if (!epoll_ || ::epoll_ctl(epoll_.fd(), EPOLL_CTL_ADD, listener_.fd(), &event) != 0) {
    return system_error("cannot watch the rendezvous port", errno);
  }
  while (!roll_call_.everybody_came() && Clock::now() < deadline_) {
    const Result<> waited = wait();
    if (!waited) return waited;
    drop_expired(Clock::now());
    if (roll_call_.disagreement() && !std::exchange(shortened_, true)) {
      deadline_ = std::min(deadline_, Clock::now() + disagreement_grace);
    }
  }
  return roll_call_.verdict(std::chrono::duration_cast<milliseconds>(deadline_ - start_),
                            !shortened_);
}

Result<> Gathering::wait() {
  Clock::time_point wake = deadline_;
  if (!undecided_.empty()) wake = std::min(wake, connections_[undecided_.front()].deadline);
  const auto left = std::chrono::ceil<milliseconds>(wake - Clock::now()).count();
  std::array<epoll_event, 64> events;
  const int ready = ::epoll_wait(epoll_.fd(), events.data(), static_cast<int>(events.size()),
                                 static_cast<int>(std::clamp<decltype(left)>(left, 0, 60'000)));
  if (ready < 0 && errno != EINTR) {
    return system_error("cannot wait for the other ranks", errno);
  }
  for (int i = 0; i < ready; ++i) {
    const int fd = events[static_cast<std::size_t>(i)].data.fd;
    if (fd != listener_.fd()) {
      advance(fd);
    } else if (const Result<> accepted = accept_all(); !accepted) {
      return accepted;
    }
  }
  return {};
}

Result<> Gathering::accept_all() {
  for (int i = 0; i < accepts_most; ++i) {
    Result<process::Socket> socket = process::accept_from(listener_);
    if (!socket) {
      return socket.error().with_prefix(
          concat("rank 0 has ", connections_.size(), " connections of ", own_.size - 1, ": "));
    }
    if (!socket.value()) break;
    admit(std::move(socket).value());
  }
  return {};
}

void Gathering::admit(process::Socket socket) {
  const int fd = socket.fd();
  epoll_event event = {};
  event.events = EPOLLIN | EPOLLRDHUP;
  event.data.fd = fd;
  if (::epoll_ctl(epoll_.fd(), EPOLL_CTL_ADD, fd, &event) != 0) return;
  Connection connection;
  connection.socket = std::move(socket);
  connection.deadline = Clock::now() + hello_deadline;
  connections_.insert_or_assign(fd, std::move(connection));
  undecided_.push_back(fd);
  // Ranks say hello at once, so that most are decided here and a flood does not push them out.
  advance(fd);
  if (undecided_.size() > undecided_most) drop_undecided(undecided_.front());
}

void Gathering::advance(int fd) {
  const auto found = connections_.find(fd);
  if (found == connections_.end()) return;
  Connection& connection = found->second;
  if (connection.stage != Stage::undecided) {
    // Who waits for the verdict has nothing more to say: it is gone, or no rank of ours.
    std::byte byte;
    if (::recv(fd, &byte, 1, 0) < 0 && (errno == EAGAIN || errno == EINTR)) return;
    drop(fd);
    return;
  }
  switch (receive(connection)) {
    case Progress::waiting:
      return;
    case Progress::useless:
      drop_undecided(fd);
      return;
    case Progress::complete:
      std::erase(undecided_, fd);
      answer(fd);
      return;
  }
}

Gathering::Progress Gathering::receive(Connection& connection) {
  for (;;) {
    const std::size_t have = connection.received.size();
    if (have == connection.wanted) {
      if (have > wire::hello_header_bytes) break;
      if (!accept_header(connection)) return Progress::useless;
      if (have == connection.wanted) break;
      continue;
    }
    connection.received.resize(connection.wanted);
    const ssize_t count = ::recv(connection.socket.fd(), connection.received.data() + have,
                                 connection.wanted - have, 0);
    connection.received.resize(have + static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) return Progress::waiting;
    if (count <= 0) return Progress::useless;
  }
  // Another version may have other texts; that it is another version has to be told anyhow.
  const bool readable = wire::decode_body(connection.received, connection.hello) ||
                        connection.hello.version != own_.version;
  return readable ? Progress::complete : Progress::useless;
}

bool Gathering::accept_header(Connection& connection) {
  const auto header =
      std::span<const std::byte>(connection.received).first<wire::hello_header_bytes>();
  const std::optional<wire::Hello> hello = wire::decode_header(header);
  const std::optional<std::size_t> body = wire::body_bytes(header);
  if (!hello || !body || !same_bits(hello->key, own_.key)) return false;
  connection.hello = *hello;
  connection.wanted += *body;
  return true;
}

void Gathering::answer(int fd) {
  Connection& connection = connections_[fd];
  connection.received = {};
  const wire::Hello& hello = connection.hello;
  // Who holds the place may have died, and its end not have been read yet.
  if (hello.rank >= 0 && static_cast<std::size_t>(hello.rank) < fd_of_rank_.size()) {
    const int holder = fd_of_rank_[static_cast<std::size_t>(hello.rank)];
    if (holder >= 0) advance(holder);
  }
  const RollCall::Answer answer = roll_call_.take(hello);
  if (answer == RollCall::Answer::duplicate) {
    const wire::Bytes reply = wire::encode_refusal(roll_call_.reason_for_duplicate(hello));
    (void)process::write_all(connection.socket, reply, Clock::now());
    drop(fd);
    return;
  }
  deadline_ = std::min(deadline_, Clock::now() + hello.patience);
  if (answer == RollCall::Answer::disagrees) {
    connection.stage = Stage::disagrees;
  } else {
    int& present = fd_of_rank_[static_cast<std::size_t>(hello.rank)];
    if (answer == RollCall::Answer::returned) connections_.erase(present);
    present = fd;
    connection.stage = Stage::present;
  }
  // Small enough for the empty buffer of a fresh connection; who is gone by now shows later.
  (void)process::write_all(connection.socket, wire::encode_welcome(), Clock::now());
}

void Gathering::drop(int fd) {
  const auto found = connections_.find(fd);
  if (found->second.stage == Stage::present) {
    const int rank = found->second.hello.rank;
    roll_call_.leave(rank);
    fd_of_rank_[static_cast<std::size_t>(rank)] = -1;
  }
  connections_.erase(found);  // closing takes it out of the epoll set
}

void Gathering::drop_undecided(int fd) {
  std::erase(undecided_, fd);
  drop(fd);
}

void Gathering::drop_expired(Clock::time_point now) {
  while (!undecided_.empty() && connections_[undecided_.front()].deadline <= now) {
    drop_undecided(undecided_.front());
  }
}

std::vector<process::Member> Gathering::members() const {
  // Where others reach this host, seen from the connections that came from elsewhere.
  std::string outside = loopback_address;
  std::vector<std::string> peers = {""};
  for (int rank = 1; rank < own_.size; ++rank) {
    const process::Socket& socket =
        connections_.at(fd_of_rank_[static_cast<std::size_t>(rank)]).socket;
    peers.push_back(peer_address(socket).value_or(loopback_address));
    const Result<process::Address> local = process::local_address(socket);
    if (local && is_loopback(outside)) outside = local.value().host;
  }
  peers[0] = outside;
  std::vector<process::Member> members;
  for (int rank = 0; rank < own_.size; ++rank) {
    const wire::Hello& hello = *roll_call_.present(rank);
    std::string address = hello.address;
    if (address.empty()) {
      const std::string& seen = peers[static_cast<std::size_t>(rank)];
      address = is_loopback(seen) ? outside : seen;
    }
    members.push_back(
        {std::move(address), hello.port, hello.host, hello.pid, hello.locality, hello.door});
  }
  return members;
}

void Gathering::tell(std::span<const std::byte> verdict) {
  struct Listener {
    int fd;
    std::size_t sent = 0;
  };
  std::vector<Listener> waiting;
  for (const auto& [fd, connection] : connections_) {
    if (connection.stage != Stage::undecided) waiting.push_back({fd});
  }
  const Clock::time_point end = Clock::now() + tell_deadline;
  std::vector<pollfd> entries;
  while (!waiting.empty() && Clock::now() < end) {
    std::erase_if(waiting, [&](Listener& listener) {
      const std::span<const std::byte> rest = verdict.subspan(listener.sent);
      const ssize_t count = ::send(listener.fd, rest.data(), rest.size(), MSG_NOSIGNAL);
      if (count < 0) return errno != EAGAIN && errno != EINTR;
      listener.sent += static_cast<std::size_t>(count);
      return listener.sent == verdict.size();
    });
    entries.clear();
    for (const Listener& listener : waiting) entries.push_back({listener.fd, POLLOUT, 0});
    const auto left = std::chrono::ceil<milliseconds>(end - Clock::now()).count();
    if (!entries.empty() && left > 0) {
      (void)::poll(entries.data(), entries.size(), static_cast<int>(left));
    }
  }
}

}  // namespace rondo
