#include "transport/control/endpoint.hpp"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <set>

#include "base/text.hpp"
#include "transport/shm/fence.hpp"

namespace rondo::process {

namespace {

constexpr int fully_linked_up_to = 9;  // ranks
constexpr auto farewell_time = std::chrono::milliseconds(1000);
constexpr auto farewell_pause = std::chrono::milliseconds(1);
constexpr auto survivors_time = std::chrono::milliseconds(200);
constexpr auto retry_time = std::chrono::milliseconds(5);

Hello hello_of(const Membership& membership) {
  Hello hello;
  hello.token = membership.token;
  hello.from = membership.rank;
  hello.size = static_cast<std::int32_t>(membership.members.size());
  return hello;
}

bool send_whole(const Socket& socket, const Hello& hello) {
  return ::send(socket.fd(), &hello, sizeof hello, MSG_NOSIGNAL) == sizeof hello;
}

}  // namespace

std::vector<int> neighbours(int rank, int size) {
  std::set<int> found;
  if (size <= fully_linked_up_to) {
    for (int other = 0; other < size; ++other) found.insert(other);
  } else {
    for (int distance = 1; distance < size; distance *= 2) {
      found.insert((rank + distance) % size);
      found.insert((rank - distance + size) % size);
    }
  }
  found.erase(rank);
  return {found.begin(), found.end()};
}

Endpoint::Endpoint(Membership membership, Socket epoll)
    : membership_(std::move(membership)),
      epoll_(std::move(epoll)),
      doorman_(std::move(membership_.listener), std::move(membership_.door), hello_of(membership_),
               epoll_.fd()),
      owner_(::getpid()),
      standing_(membership_.members.size(), Standing::present),
      seen_(membership_.members.size()),
      pigeonholes_(static_cast<int>(membership_.members.size())),
      memory_(membership_.shared_bytes.value_or(MemoryBudget::usual)) {
  if (fabric() != nullptr) shm_and_fabric_ = concat("shm+", fabric()->name());
}

Result<std::shared_ptr<Endpoint>> Endpoint::form(Membership membership,
                                                 Clock::time_point deadline) {
  Socket epoll(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll) return system_error("cannot watch connections", errno);
  const std::shared_ptr<Endpoint> endpoint(new Endpoint(std::move(membership), std::move(epoll)));
  // It takes milliseconds: here on all ranks at once, and in turn when links open.
  if (endpoint->may_share_memory()) (void)has_fences_everywhere();
  if (Result<> joined = endpoint->join(deadline); !joined) {
    // Ranks that have all their own links would go on without the others.
    endpoint->publish(failure_notice(world_context, 0, joined.error()));
    return joined.error();
  }
  return endpoint;
}

Endpoint::~Endpoint() {
  if (!is_owned()) return;
  Notice notice;
  notice.kind = Notice::Kind::farewell;
  publish(notice);
  await_arrival();
  if (!losses_.empty()) await_survivors();
  for (const auto& link : links_) link->finish();
}

// A peer that lags behind goes on passing notices to this rank. Its kernel learns then that the
// link is gone, and drops what is still on the way from here: without the farewell it would take
// this rank for dead. What has arrived stays readable.
void Endpoint::await_arrival() {
  const auto deadline = Clock::now() + farewell_time;
  const auto is_awaited = [&](const auto& link) {
    return standing_[link->peer()] == Standing::present && !link->has_arrived();
  };
  while (std::any_of(links_.begin(), links_.end(), is_awaited) && Clock::now() < deadline) {
    pollfd entry = {epoll_.fd(), POLLIN, 0};
    (void)::poll(&entry, 1, static_cast<int>(farewell_pause.count()));
    progress(true);
  }
}

// Programs end after a loss, and launchers end the others with the first of them: so the first one
// waits until the others, too, have come to an end, and said why.
void Endpoint::await_survivors() {
  const auto deadline = Clock::now() + survivors_time;
  const auto is_awaited = [&](int peer) {
    return peer != rank() && standing_[peer] == Standing::present;
  };
  while (Clock::now() < deadline) {
    progress(true);
    bool is_alone = true;
    for (int peer = 0; peer < size(); ++peer) is_alone = is_alone && !is_awaited(peer);
    if (is_alone) return;
    pollfd entry = {epoll_.fd(), POLLIN, 0};
    (void)::poll(&entry, 1, static_cast<int>(farewell_pause.count()));
  }
}

bool Endpoint::may_share_memory() const {
  for (int rank = 0; rank < size(); ++rank) {
    if (rank != this->rank() && may_share_memory(rank)) return true;
  }
  return false;
}

bool Endpoint::may_share_memory(int rank) const {
  const Member& own = member(this->rank());
  const Member& other = member(rank);
  const bool is_wanted = medium() == Medium::automatic || medium() == Medium::shm;
  return is_wanted && own.locality != 0 && own.locality == other.locality && other.door != 0;
}

bool Endpoint::is_owned() const {
  return ::getpid() == owner_;
}

Result<> Endpoint::join(Clock::time_point deadline) {
  const std::vector<int> peers = neighbours(rank(), size());
  for (const int peer : peers) {
    if (peer < rank()) dial(peer);
  }
  for (;;) {
    progress(true);
    if (failure_) return Error(ErrorCode::join_failed, failure_->peer(), failure_->text());
    std::string missing;
    for (const int peer : peers) {
      if (has_joined(peer)) continue;
      missing += concat(missing.empty() ? "" : ", ", "rank ", peer, " (host ", member(peer).host,
                        ", pid ", member(peer).pid, ")");
    }
    if (missing.empty()) return {};
    const auto now = Clock::now();
    if (now >= deadline) {
      std::string text = concat("did not connect to rank ", rank(), " by the deadline: ", missing);
      if (doorman_.trouble()) text += concat("; ", doorman_.trouble()->text());
      if (const std::uint64_t strangers = doorman_.strangers(); strangers > 0) {
        text += concat("; strangers turned away at its port: ", strangers);
      }
      return Error(ErrorCode::join_failed, std::move(text));
    }
    pollfd entry = {epoll_.fd(), POLLIN, 0};
    (void)::poll(&entry, 1, static_cast<int>(retry_time.count()));
  }
}

void Endpoint::dial(int peer) {
  outgoing_.push_back(
      {peer, Dial(address(peer), introduce(Hello::Kind::control, peer, 0, 0), epoll_.fd(), 0)});
  dialling_.store(true, std::memory_order_relaxed);
}

Hello Endpoint::introduce(Hello::Kind kind, int to, std::uint64_t context,
                          std::uint8_t channel) const {
  Hello hello = hello_of(membership_);
  hello.kind = kind;
  hello.to = to;
  hello.context = context;
  hello.channel = channel;
  return hello;
}

void Endpoint::progress(bool insist) {
  std::unique_lock lock(mutex_, std::defer_lock);
  if (insist) {
    lock.lock();
  } else if (!lock.try_lock()) {
    return;
  }
  epoll_event events[16];
  const int ready = ::epoll_wait(epoll_.fd(), events, 16, 0);
  if (ready > 0 || doorman_.is_watching() || has_dials()) sweep();
}

// Events come rarely and concern few sockets, so that it pays to look at all of them.
void Endpoint::sweep() {
  advance_dials();
  receive_guests();
  receive_notices();
}

void Endpoint::advance_dials() {
  const auto now = Clock::now();
  for (auto outgoing = outgoing_.begin(); outgoing != outgoing_.end();) {
    const int peer = outgoing->peer;
    Result<Socket> socket = outgoing->dial.advance(now);
    if (!socket) failure_ = socket.error();
    const bool refused = !socket && socket.error().code() == ErrorCode::protocol;
    if (socket && socket.value()) add_link(peer, std::move(socket).value());
    const bool over = link_to(peer) != nullptr || standing_[peer] != Standing::present || refused;
    outgoing = over ? outgoing_.erase(outgoing) : outgoing + 1;
  }
  dialling_.store(!outgoing_.empty(), std::memory_order_relaxed);
}

void Endpoint::receive_guests() {
  std::vector<Guest> guests;
  doorman_.progress(Clock::now(), guests);
  for (Guest& guest : guests) receive(std::move(guest));
  // Communicators that wait for a connection will not get it.
  if (doorman_.trouble()) pigeonholes_.put_everywhere(*doorman_.trouble());
}

void Endpoint::receive(Guest guest) {
  const Hello& theirs = guest.hello;
  const Hello ours = introduce(theirs.kind, theirs.from, theirs.context, theirs.channel);
  if (theirs.version != ours.version) {
    (void)send_whole(guest.socket, ours);
    failure_ = other_version(theirs, ours);
    pigeonholes_.put_everywhere(*failure_);
    return;
  }
  if (theirs.kind == Hello::Kind::control) {
    if (send_whole(guest.socket, ours)) add_link(theirs.from, std::move(guest.socket));
    return;
  }
  // A closed context does not answer; the peer learns from the notice why.
  if (pigeonholes_.is_closed(theirs.context) || !send_whole(guest.socket, ours)) return;
  pigeonholes_.put(theirs.context, std::move(guest));
}

// A peer that connects again has given up its earlier connection, and not what it has to hear.
void Endpoint::add_link(int peer, Socket socket) {
  if (Result<> watched = watch(epoll_.fd(), socket.fd(), 0); !watched) {
    failure_ = watched.error();
    return;
  }
  const auto former = std::find_if(links_.begin(), links_.end(),
                                   [&](const auto& link) { return link->peer() == peer; });
  if (former != links_.end()) {
    (*former)->replace(std::move(socket));
  } else {
    links_.push_back(std::make_unique<ControlLink>(peer, std::move(socket)));
  }
}

ControlLink* Endpoint::link_to(int peer) const {
  for (const auto& link : links_) {
    if (link->peer() == peer && link->is_open()) return link.get();
  }
  return nullptr;
}

// A peer may have joined, finished its work and left while this rank waits for others.
bool Endpoint::has_joined(int peer) const {
  const std::lock_guard lock(mutex_);
  return link_to(peer) != nullptr || standing_[peer] == Standing::gone;
}

bool Endpoint::is_linked(int rank) const {
  const std::lock_guard lock(mutex_);
  return link_to(rank) != nullptr;
}

void Endpoint::receive_notices() {
  for (std::size_t i = 0; i < links_.size(); ++i) {
    ControlLink& link = *links_[i];
    if (!link.is_open()) continue;
    link.flush();
    Notice notice;
    while (link.receive(notice)) {
      if (is_sound(notice, size())) {
        take(notice, &link);
      } else {
        link.close();
      }
    }
    if (!link.is_open()) lose(link.peer());
  }
}

void Endpoint::take(const Notice& notice, const ControlLink* from) {
  if (notice.origin == rank() || !seen_[notice.origin].take(notice.id)) return;
  pass_on(notice, from);
  switch (notice.kind) {
    case Notice::Kind::failure:
      if (!failure_) failure_ = Error(notice.code, notice.culprit, std::string(notice.text()));
      [[fallthrough]];
    case Notice::Kind::testimony:
    case Notice::Kind::claim:
    case Notice::Kind::leave:
      pigeonholes_.put(notice.context, notice);
      break;
    case Notice::Kind::lost:
      if (notice.culprit < 0 || standing_[notice.culprit] != Standing::present) break;
      standing_[notice.culprit] = Standing::lost;
      losses_.push_back(notice);
      pigeonholes_.put_everywhere(notice);
      break;
    case Notice::Kind::farewell:
      standing_[notice.origin] = Standing::gone;
      break;
  }
}

void Endpoint::pass_on(const Notice& notice, const ControlLink* except) {
  for (const auto& link : links_) {
    if (link.get() != except) link->send(notice);
  }
}

// A stream that ends without a farewell is the kernel's word that the process is gone.
void Endpoint::lose(int peer) {
  if (standing_[peer] != Standing::present) return;
  standing_[peer] = Standing::lost;
  Notice notice;
  notice.kind = Notice::Kind::lost;
  notice.code = ErrorCode::peer_lost;
  notice.culprit = peer;
  notice.origin = rank();
  notice.id = next_id_++;
  pass_on(notice, nullptr);
  losses_.push_back(notice);
  pigeonholes_.put_everywhere(notice);
  if (!failure_) {
    failure_ = Error(ErrorCode::join_failed, peer,
                     concat("rank ", peer, " (host ", member(peer).host, ", pid ", member(peer).pid,
                            ") went away while the world was being formed"));
  }
}

std::shared_ptr<Pigeonhole> Endpoint::attach(std::uint64_t context, int wake_fd) {
  const std::lock_guard lock(mutex_);
  return pigeonholes_.attach(context, wake_fd, losses_);
}

void Endpoint::detach(std::uint64_t context, std::uint64_t sequence) {
  if (!is_owned()) return;
  {
    const std::lock_guard lock(mutex_);
    pigeonholes_.close(context);
  }
  Notice notice;
  notice.kind = Notice::Kind::leave;
  notice.context = context;
  notice.sequence = sequence;
  publish(notice);
}

News Endpoint::collect(Pigeonhole& hole) {
  const std::lock_guard lock(mutex_);
  hole.filled.store(false, std::memory_order_relaxed);
  return std::exchange(hole.news, News{});
}

void Endpoint::publish(Notice notice) {
  const std::lock_guard lock(mutex_);
  notice.origin = rank();
  notice.id = next_id_++;
  pass_on(notice, nullptr);
}

void Endpoint::link_among(std::span<const int> members) {
  const auto place = std::find(members.begin(), members.end(), rank());
  const int own = static_cast<int>(place - members.begin());
  const std::lock_guard lock(mutex_);
  for (const int index : neighbours(own, static_cast<int>(members.size()))) {
    const int peer = members[index];
    const auto goes_there = [&](const Outgoing& outgoing) { return outgoing.peer == peer; };
    const bool known = link_to(peer) != nullptr || standing_[peer] != Standing::present ||
                       std::any_of(outgoing_.begin(), outgoing_.end(), goes_there);
    if (peer < rank() && !known) dial(peer);
  }
}

}  // namespace rondo::process
