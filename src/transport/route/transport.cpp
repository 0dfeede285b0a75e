// Moving bytes: the parts of the transport that run while all is well.

#include "transport/route/transport.hpp"

#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <cerrno>

#include "base/invariant.hpp"
#include "base/text.hpp"
#include "transport/route/make.hpp"

namespace rondo::process {

namespace {

// Tags of the epoll set; a link's tag is first_link_tag + its index.
constexpr std::uint64_t wakeup_tag = 0;
constexpr std::uint64_t endpoint_tag = 1;
constexpr std::uint64_t first_link_tag = 2;

constexpr std::size_t few_links = 2;  // asking them costs less than asking epoll
// At what does not concern the data. A look takes as long as many polls of memory. Powers of two.
constexpr unsigned polls_between_looks = 64;
constexpr unsigned memory_polls_between_looks = 1024;
constexpr int spins_per_poll = 8;  // with links in memory, before the caller looks at its clock
// Before a sleep, from which another rank has to wake this one.
constexpr auto yield_time = std::chrono::microseconds(50);
// Nobody can wake it where links have to be looked at: it sleeps for a moment, again and again. The
// news of a rank that died are not to wait for that.
constexpr auto polled_yield_time = std::chrono::microseconds(1000);
constexpr int polled_sleep_ms = 1;
constexpr auto long_yield = std::chrono::microseconds(500);
constexpr unsigned most_sleeps_without_yield = 1 << 16;
constexpr int retry_ms = 5;  // how soon to look again at what no event announces
constexpr int longest_sleep_ms = 60'000;
constexpr auto longest_reading = std::chrono::seconds(1);

void pause() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("isb");
#endif
}

// Other ranks with which memory may be shared.
std::size_t count_near(const Endpoint& endpoint, std::span<const int> members) {
  return static_cast<std::size_t>(std::count_if(members.begin(), members.end(), [&](int member) {
    return member != endpoint.rank() && endpoint.may_share_memory(member);
  }));
}

}  // namespace

Result<std::unique_ptr<Transport>> make_transport(Membership membership,
                                                  Transport::Clock::time_point deadline) {
  Result<std::shared_ptr<Endpoint>> endpoint = Endpoint::form(std::move(membership), deadline);
  if (!endpoint) return endpoint.error();
  std::vector<int> everybody;
  for (int rank = 0; rank < endpoint.value()->size(); ++rank) everybody.push_back(rank);
  const bool is_everywhere = endpoint.value()->medium() == Medium::fabric;
  Fabric* const fabric = is_everywhere ? endpoint.value()->fabric() : nullptr;
  return RoutedTransport::make(endpoint.value(), std::move(everybody), world_context, fabric);
}

Result<std::unique_ptr<Transport>> remake(const Transport& world, std::vector<int> members,
                                          std::uint64_t context, bool with_fabric) {
  const auto& routed = dynamic_cast<const RoutedTransport&>(world);
  return routed.remake(std::move(members), context,
                       with_fabric ? routed.fabric_of_world() : nullptr);
}

Result<std::unique_ptr<Transport>> RoutedTransport::make(std::shared_ptr<Endpoint> endpoint,
                                                         std::vector<int> members,
                                                         std::uint64_t context, Fabric* fabric) {
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
  return std::unique_ptr<Transport>(new RoutedTransport(std::move(endpoint), std::move(members),
                                                        rank, context, fabric, std::move(epoll),
                                                        std::move(wakeup)));
}

RoutedTransport::RoutedTransport(std::shared_ptr<Endpoint> endpoint, std::vector<int> members,
                                 int rank, std::uint64_t context, Fabric* fabric, Socket epoll,
                                 Socket wakeup)
    : Transport(name_for(*endpoint, members, fabric), rank, static_cast<int>(members.size())),
      endpoint_(std::move(endpoint)),
      members_(std::move(members)),
      index_(static_cast<std::size_t>(endpoint_->size()), -1),
      context_(context),
      fabric_(fabric),
      epoll_(std::move(epoll)),
      wakeup_(std::move(wakeup)),
      pigeonhole_(endpoint_->attach(context, wakeup_.fd())),
      memory_(endpoint_->memory(), count_near(*endpoint_, members_), wakeup_.fd()),
      is_lost_(members_.size(), false),
      left_(members_.size()),
      testimonies_(members_.size()),
      claims_(members_.size()),
      heard_(members_.size(), 0) {
  for (std::size_t i = 0; i < members_.size(); ++i) index_[members_[i]] = static_cast<int>(i);
}

RoutedTransport::~RoutedTransport() {
  drop_links();
  endpoint_->detach(context_, sequence_);
}

Result<std::unique_ptr<Transport>> RoutedTransport::split(std::span<const int> members,
                                                          std::uint64_t context) {
  std::vector<int> world;
  for (const int member : members) {
    if (member < 0 || member >= size()) {
      return Error(ErrorCode::invalid_argument,
                   concat("there is no rank ", member, " in a communicator of ", size(), " ranks"));
    }
    world.push_back(members_[member]);
  }
  return remake(std::move(world), context, fabric_);
}

Result<std::unique_ptr<Transport>> RoutedTransport::remake(std::vector<int> world,
                                                           std::uint64_t context,
                                                           Fabric* fabric) const {
  Result<std::unique_ptr<Transport>> part = make(endpoint_, world, context, fabric);
  if (part) endpoint_->link_among(world);
  return part;
}

Result<> RoutedTransport::begin(std::uint64_t sequence, const Call& call,
                                std::span<const Link> links) {
  if (error_) return *error_;
  if (fabric_ != nullptr) {
    if (Result<> permitted = fabric_->permits_caller(); !permitted) return permitted;
  }
  RONDO_INVARIANT(sequence, >, sequence_);
  const bool is_alike = sequence_ > 0 && call == call_;
  sequence_ = sequence;
  calls_[sequence % remembered_calls] = call;
  if (is_alike) {
    renumber(operation_, sequence);
  } else {
    call_ = call;
    operation_ = make_operation(context_, sequence, call);
  }
  if (pigeonhole_->filled.load(std::memory_order_acquire)) take_news();
  if (!uses(links)) {
    if (Result<> used = use(links); !used) return used;
  }
  idle_since_.reset();
  has_claimed_ = false;
  ahead_since_.reset();
  recall_claims();
  if (deferred_) take_failure(*deferred_);
  check_departures();
  if (error_) return *error_;
  return {};
}

// Just these links, all of them open.
bool RoutedTransport::uses(std::span<const Link> links) const {
  return std::equal(links.begin(), links.end(), active_.begin(), active_.end(),
                    [](const Link& wanted, const DataLink* used) {
                      return used->is_open() && used->peer() == wanted.peer &&
                             used->channel() == wanted.channel;
                    });
}

Result<> RoutedTransport::use(std::span<const Link> links) {
  // Exchanges go on side by side.
  const bool is_exchange = call_.form == Form::exchange;
  std::erase_if(active_, [&](const DataLink* link) { return !is_exchange || !link->has_work(); });
  for (const Link& wanted : links) {
    RONDO_INVARIANT(wanted.peer, <, size());
    RONDO_INVARIANT(wanted.peer, !=, rank());
    DataLink& used = link(wanted.peer, wanted.channel);
    const bool is_active =
        is_exchange && std::find(active_.begin(), active_.end(), &used) != active_.end();
    if (!is_active) active_.push_back(&used);
    if (used.is_open() || used.is_opening()) continue;
    if (Result<> reached = require_reach(wanted.peer); !reached) return reached;
    open(used);
  }
  count_kinds();
  return {};
}

Result<> RoutedTransport::permits_own_threads() const {
  return fabric_ == nullptr ? Result<>() : fabric_->permits_every_thread();
}

DataLink& RoutedTransport::link(int peer, std::uint8_t channel) {
  if (channel < by_channel_.size()) {
    const std::vector<DataLink*>& row = by_channel_[channel];
    const auto place = static_cast<std::size_t>(peer);
    if (place < row.size() && row[place] != nullptr) return *row[place];
  }
  return add_link(peer, channel);
}

DataLink& RoutedTransport::add_link(int peer, std::uint8_t channel) {
  if (channel >= by_channel_.size()) by_channel_.resize(channel + 1u);
  std::vector<DataLink*>& row = by_channel_[channel];
  row.resize(static_cast<std::size_t>(size()));
  const std::uint64_t tag = first_link_tag + links_.size();
  row[peer] = links_.emplace_back(std::make_unique<DataLink>(peer, channel, tag)).get();
  return *row[peer];
}

// What carries a link changes only while some are being opened.
void RoutedTransport::count_kinds() {
  streams_ = polled_ = 0;
  for (const DataLink* link : active_) {
    if (link->is_polled()) ++polled_;
    if (!link->is_polled() && !link->is_memory()) ++streams_;
  }
}

void RoutedTransport::post(Transfer& transfer) {
  DataLink& used = link(transfer.link.peer, transfer.link.channel);
  if (transfer.kind == Transfer::Kind::send && transfer.borrow) {
    transfer.state.store(Transfer::State::idle, std::memory_order_relaxed);
    if (!is_lost_[transfer.link.peer]) used.lend_room(transfer, operation_);
    return;
  }
  transfer.state.store(Transfer::State::posted, std::memory_order_relaxed);
  used.post(transfer);
  if (transfer.kind != Transfer::Kind::send) return;
  // A dead rank that still had to receive cannot have done its part; the link to it would take the
  // message all the same.
  if (is_lost_[transfer.link.peer]) return adopt_loss();
  (void)used.send(operation_);
}

Result<bool> RoutedTransport::poll(std::chrono::microseconds patience) {
  if (error_) return *error_;
  bool moved = move();
  if (!moved && streams_ < active_.size()) {
    moved = patience.count() > 0 ? yield_a_while(patience) : move_patiently();
  }
  const bool is_idle = patience.count() > 0 && !moved;
  const bool has_memory_only = streams_ == 0 && polled_ == 0;
  const unsigned between_looks = has_memory_only ? memory_polls_between_looks : polls_between_looks;
  if (is_idle || stuck_since_ || endpoint_ready_ || (++polls_ & (between_looks - 1)) == 0) {
    look_around(is_idle || stuck_since_);
  }
  if (moved) idle_since_.reset();
  if (is_idle && !idle_since_) idle_since_ = Clock::now();
  check();
  if (error_) return *error_;
  if (is_idle) claim_after_a_while();
  if (is_idle && !woken_) {
    moved = sleep(patience);
    if (moved) idle_since_.reset();
    check();
    if (error_) return *error_;
  }
  woken_ = false;
  return moved;
}

bool RoutedTransport::move() {
  if (opening_) advance_openings();
  const bool are_few = streams_ <= few_links;
  if (!are_few) harvest(0);
  bool moved = false;
  for (DataLink* link : active_) {
    if (!link->has_work()) continue;
    if (are_few && streams_ > 0) link->set_ready(true, true);
    moved |= link->move(operation_);
  }
  return moved;
}

// A look at memory costs less than anything else that the caller could do meanwhile.
bool RoutedTransport::move_patiently() {
  for (int i = 0; i < spins_per_poll; ++i) {
    pause();
    if (move()) return true;
  }
  return false;
}

// Peers on the same core go on when this rank yields it. Where others than ranks want the core, a
// single yield takes milliseconds: who sleeps instead gets it back as soon as its message is there.
bool RoutedTransport::yield_a_while(std::chrono::microseconds patience) {
  if (sleeps_without_yield_ > 0) {
    --sleeps_without_yield_;
    return false;
  }
  auto now = Clock::now();
  const auto end = now + std::min(polled_ > 0 ? polled_yield_time : yield_time, patience);
  auto look_at = now + yield_time;
  while (now < end) {
    const auto before = now;
    ::sched_yield();
    const bool moved = move();
    now = Clock::now();
    if (!moved && now >= look_at) {
      harvest(0);
      if (endpoint_ready_ || woken_) return false;
      look_at = now + yield_time;
    }
    if (now - before >= long_yield) {
      after_long_yield_ = std::min(2 * after_long_yield_, most_sleeps_without_yield);
      sleeps_without_yield_ = after_long_yield_;
      return moved;
    }
    if (moved) {
      if (after_long_yield_ > 1) --after_long_yield_;
      return true;
    }
  }
  return false;
}

// The others are told to ring before this rank sleeps.
bool RoutedTransport::sleep(std::chrono::microseconds patience) {
  const bool has_others = streams_ < active_.size();
  // What is full is marked first: the one fence of fall_asleep() stands behind all marks.
  for (DataLink* link : active_) link->prepare_sleep();
  memory_.fall_asleep();
  bool moved = has_others && move();
  if (!moved && !woken_) harvest(sleep_ms(patience));
  memory_.wake_up();
  if (endpoint_ready_) look_around(true);
  return moved || move();
}

void RoutedTransport::look_around(bool insist) {
  endpoint_ready_ = false;
  endpoint_->progress(insist);
  for (DataLink* link : active_) link->glance(operation_);
}

void RoutedTransport::check() {
  if (pigeonhole_->filled.load(std::memory_order_acquire)) take_news();
  check_links();
}

// Fetches what epoll knows: at once, or after a sleep until it knows something.
void RoutedTransport::harvest(int patience_ms) {
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

int RoutedTransport::sleep_ms(std::chrono::microseconds patience) const {
  const auto wanted = std::chrono::ceil<std::chrono::milliseconds>(patience).count();
  const bool is_soon = stuck_since_ || ahead_since_ || loss_ || opening_ || endpoint_->has_dials();
  const int longest = polled_ > 0 ? polled_sleep_ms : is_soon ? retry_ms : longest_sleep_ms;
  return static_cast<int>(std::min<decltype(wanted)>(wanted, longest));
}

bool RoutedTransport::release(Transfer& transfer) {
  return link(transfer.link.peer, transfer.link.channel).release(transfer, operation_);
}

// Nobody reads the user's memory after this. A reader never waits for anything while it reads, so
// that it takes a bounded time, unless it was stopped; then it finds out when it goes on.
void RoutedTransport::drop_links() {
  if (!endpoint_->is_owned()) return;  // a forked child has no part in them
  for (const auto& link : links_) link->close();
  const auto is_being_read = [](const auto& link) { return link->is_being_read(); };
  const auto give_up = Clock::now() + longest_reading;
  while (std::any_of(links_.begin(), links_.end(), is_being_read) && Clock::now() < give_up) {
    ::sched_yield();
  }
  for (const auto& link : links_) link->drop();
}

void RoutedTransport::cancel() {
  drop_links();
  active_.clear();
  count_kinds();
  opening_ = false;
  is_closed_ = true;
  fail(Error(ErrorCode::aborted, rank(), "an operation of this communicator was given up"));
}

void RoutedTransport::wake() {
  (void)::eventfd_write(wakeup_.fd(), 1);
}

}  // namespace rondo::process
