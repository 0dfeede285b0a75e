// Moving bytes: the parts of the tcp transport that run while all is well.

#include "transport/tcp/tcp.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <cerrno>

#include "base/invariant.hpp"
#include "base/text.hpp"
#include "transport/tcp/transport.hpp"

namespace rondo::tcp {

namespace {

// Tags of the epoll set; a link's tag is first_link_tag + its index.
constexpr std::uint64_t wakeup_tag = 0;
constexpr std::uint64_t endpoint_tag = 1;
constexpr std::uint64_t first_link_tag = 2;

constexpr std::size_t few_links = 2;          // asking them costs less than asking epoll
constexpr unsigned polls_between_looks = 64;  // at what does not concern the data
constexpr int retry_ms = 5;                   // how soon to look again at what no event announces
constexpr int longest_sleep_ms = 60'000;

}  // namespace

Result<std::unique_ptr<Transport>> make_tcp(Membership membership,
                                            Transport::Clock::time_point deadline) {
  Result<std::shared_ptr<Endpoint>> endpoint = Endpoint::form(std::move(membership), deadline);
  if (!endpoint) return endpoint.error();
  std::vector<int> everybody;
  for (int rank = 0; rank < endpoint.value()->size(); ++rank) everybody.push_back(rank);
  return TcpTransport::make(endpoint.value(), std::move(everybody), world_context);
}

Result<std::unique_ptr<Transport>> TcpTransport::make(std::shared_ptr<Endpoint> endpoint,
                                                      std::vector<int> members,
                                                      std::uint64_t context) {
  const auto place = std::find(members.begin(), members.end(), endpoint->rank());
  if (place == members.end()) {
    return Error(ErrorCode::invalid_argument,
                 concat("rank ", endpoint->rank(),
                        " of the world is not among the members of the new communicator"));
  }
  Socket epoll(::epoll_create1(EPOLL_CLOEXEC));
  Socket wakeup(epoll ? ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC) : -1);
  if (!wakeup) return system_error("cannot watch connections", errno);
  if (Result<> watched = watch(epoll.fd(), wakeup.fd(), wakeup_tag); !watched) {
    return watched.error();
  }
  epoll_event event = {};
  event.events = EPOLLIN;  // by level: another thread may be at it when it is reported
  event.data.u64 = endpoint_tag;
  if (::epoll_ctl(epoll.fd(), EPOLL_CTL_ADD, endpoint->fd(), &event) != 0) {
    return system_error("cannot watch connections", errno);
  }
  const int rank = static_cast<int>(place - members.begin());
  return std::unique_ptr<Transport>(new TcpTransport(std::move(endpoint), std::move(members), rank,
                                                     context, std::move(epoll), std::move(wakeup)));
}

TcpTransport::TcpTransport(std::shared_ptr<Endpoint> endpoint, std::vector<int> members, int rank,
                           std::uint64_t context, Socket epoll, Socket wakeup)
    : Transport("tcp", rank, static_cast<int>(members.size())),
      endpoint_(std::move(endpoint)),
      members_(std::move(members)),
      index_(static_cast<std::size_t>(endpoint_->size()), -1),
      context_(context),
      epoll_(std::move(epoll)),
      wakeup_(std::move(wakeup)),
      pigeonhole_(endpoint_->attach(context, wakeup_.fd())),
      is_lost_(members_.size(), false),
      left_(members_.size()),
      testimonies_(members_.size()),
      claims_(members_.size()),
      heard_(members_.size(), 0) {
  for (std::size_t i = 0; i < members_.size(); ++i) index_[members_[i]] = static_cast<int>(i);
}

TcpTransport::~TcpTransport() {
  endpoint_->detach(context_, sequence_);
}

Result<std::unique_ptr<Transport>> TcpTransport::split(std::span<const int> members,
                                                       std::uint64_t context) {
  std::vector<int> world;
  for (const int member : members) {
    if (member < 0 || member >= size()) {
      return Error(ErrorCode::invalid_argument,
                   concat("there is no rank ", member, " in a communicator of ", size(), " ranks"));
    }
    world.push_back(members_[member]);
  }
  Result<std::unique_ptr<Transport>> part = make(endpoint_, world, context);
  if (part) endpoint_->link_among(world);
  return part;
}

Result<> TcpTransport::begin(std::uint64_t sequence, const Call& call,
                             std::span<const Link> links) {
  if (error_) return *error_;
  RONDO_INVARIANT(sequence, >, sequence_);
  sequence_ = sequence;
  call_ = call;
  calls_[sequence % remembered_calls] = call;
  operation_ = make_frame(context_, sequence, call);
  if (pigeonhole_->filled.load(std::memory_order_acquire)) take_news();
  // Exchanges go on side by side.
  std::erase_if(active_, [&](const DataLink* link) {
    return call.form != Form::exchange || !link->has_work();
  });
  for (const Link& wanted : links) {
    RONDO_INVARIANT(wanted.peer, <, size());
    RONDO_INVARIANT(wanted.peer, !=, rank());
    DataLink& used = link(wanted.peer, wanted.channel);
    const bool is_active = call.form == Form::exchange &&
                           std::find(active_.begin(), active_.end(), &used) != active_.end();
    if (!is_active) active_.push_back(&used);
    if (!used.is_open() && !used.is_dialling()) open(used);
  }
  idle_since_.reset();
  has_claimed_ = false;
  ahead_since_.reset();
  for (int peer = 0; peer < size(); ++peer) {
    if (const std::optional<Frame> claim = claims_[peer]) take_claim(peer, *claim);
  }
  if (deferred_) take_failure(*deferred_);
  check_departures();
  if (error_) return *error_;
  return {};
}

DataLink& TcpTransport::link(int peer, std::uint8_t channel) {
  if (channel >= by_channel_.size()) by_channel_.resize(channel + 1u);
  std::vector<DataLink*>& row = by_channel_[channel];
  row.resize(static_cast<std::size_t>(size()));
  if (row[peer] == nullptr) {
    const std::uint64_t tag = first_link_tag + links_.size();
    row[peer] = links_.emplace_back(std::make_unique<DataLink>(peer, channel, tag)).get();
  }
  return *row[peer];
}

// Of two ranks the one with the higher rank in the world connects; the other one waits.
void TcpTransport::open(DataLink& link) {
  const int peer = members_[link.peer()];
  if (peer > endpoint_->rank()) return;
  const Hello hello = endpoint_->introduce(Hello::Kind::data, peer, context_, link.channel());
  link.dial(Dial(endpoint_->address(peer), hello, epoll_.fd(), link.tag()));
  dialling_ = true;
  advance_dials();
}

void TcpTransport::advance_dials() {
  const auto now = Clock::now();
  dialling_ = false;
  for (const auto& link : links_) {
    if (!link->is_dialling()) continue;
    if (Result<> advanced = link->advance_dial(now); !advanced) fail(advanced.error());
    dialling_ |= link->is_dialling();
  }
}

void TcpTransport::take_guest(Guest guest) {
  const int peer = index_[guest.hello.from];
  if (peer < 0 || is_closed_) return;
  DataLink& used = link(peer, guest.hello.channel);
  const int fd = guest.socket.fd();
  if (!used.connect(std::move(guest.socket))) return;
  if (Result<> watched = watch(epoll_.fd(), fd, used.tag()); !watched) fail(watched.error());
}

void TcpTransport::post(Transfer& transfer) {
  transfer.state.store(Transfer::State::posted, std::memory_order_relaxed);
  DataLink& used = link(transfer.link.peer, transfer.link.channel);
  used.post(transfer);
  if (transfer.kind != Transfer::Kind::send) return;
  // A dead rank that still had to receive cannot have done its part; the connection to it would
  // take the message all the same.
  if (is_lost_[transfer.link.peer]) return adopt_loss();
  (void)used.send(operation_);
}

Result<bool> TcpTransport::poll(std::chrono::microseconds patience) {
  if (error_) return *error_;
  bool moved = move();
  const bool is_idle = patience.count() > 0 && !moved;
  if (is_idle || stuck_since_ || endpoint_ready_ || ++polls_ % polls_between_looks == 0) {
    look_around(is_idle || stuck_since_);
  }
  if (moved) idle_since_.reset();
  if (is_idle && !idle_since_) idle_since_ = Clock::now();
  check();
  if (error_) return *error_;
  if (is_idle) claim_after_a_while();
  if (is_idle && !woken_) {
    harvest(sleep_ms(patience));
    if (endpoint_ready_) look_around(true);
    moved = move();
    if (moved) idle_since_.reset();
    check();
    if (error_) return *error_;
  }
  woken_ = false;
  return moved;
}

bool TcpTransport::move() {
  if (dialling_) advance_dials();
  const bool are_few = active_.size() <= few_links;
  if (!are_few) harvest(0);
  bool moved = false;
  for (DataLink* link : active_) {
    if (!link->has_work()) continue;
    if (are_few) link->set_ready(true, true);
    moved |= link->move(operation_, lending_);
  }
  return moved;
}

void TcpTransport::look_around(bool insist) {
  endpoint_ready_ = false;
  endpoint_->progress(insist);
  for (DataLink* link : active_) link->glance(operation_);
}

void TcpTransport::check() {
  if (pigeonhole_->filled.load(std::memory_order_acquire)) take_news();
  check_links();
}

// Fetches what epoll knows: at once, or after a sleep until it knows something.
void TcpTransport::harvest(int patience_ms) {
  constexpr int most_events = 64;
  epoll_event events[most_events];
  const int count = ::epoll_wait(epoll_.fd(), events, most_events, patience_ms);
  for (int i = 0; i < count; ++i) {
    const std::uint64_t tag = events[i].data.u64;
    if (tag == wakeup_tag) {
      woken_ = true;
    } else if (tag == endpoint_tag) {
      endpoint_ready_ = true;
    } else if (tag - first_link_tag < links_.size()) {
      const auto bits = events[i].events;
      const bool has_ended = (bits & (EPOLLHUP | EPOLLERR | EPOLLRDHUP)) != 0;
      links_[tag - first_link_tag]->set_ready((bits & EPOLLIN) != 0 || has_ended,
                                              (bits & EPOLLOUT) != 0 || has_ended);
    }
  }
}

int TcpTransport::sleep_ms(std::chrono::microseconds patience) const {
  const auto wanted = std::chrono::ceil<std::chrono::milliseconds>(patience).count();
  const bool is_soon = stuck_since_ || ahead_since_ || loss_ || dialling_ || endpoint_->has_dials();
  const int longest = is_soon ? retry_ms : longest_sleep_ms;
  return static_cast<int>(std::min<decltype(wanted)>(wanted, longest));
}

void TcpTransport::release(Transfer& transfer) {
  lending_.take_back(transfer.data);
}

void TcpTransport::cancel() {
  for (const auto& link : links_) link->close();
  active_.clear();
  dialling_ = false;
  is_closed_ = true;
  fail(Error(ErrorCode::aborted, rank(), "an operation of this communicator was given up"));
}

void TcpTransport::wake() {
  (void)::eventfd_write(wakeup_.fd(), 1);
}

}  // namespace rondo::tcp
