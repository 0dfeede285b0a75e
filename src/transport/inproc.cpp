#include "transport/inproc.hpp"

#include <algorithm>
#include <array>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <optional>

#include "base/text.hpp"
#include "transport/blame.hpp"

namespace rondo {

namespace {

using Lock = std::unique_lock<std::mutex>;

// A transfer that waits for its counterpart.
struct Entry {
  Transfer* transfer = nullptr;
  std::uint64_t sequence = 0;
  Call call;
};

// One direction of a link.
struct Queue {
  std::deque<Entry> sends;
  std::deque<Entry> recvs;
  bool is_known_to_sender = false;  // it stands in its `outbound`
  bool is_ready = false;            // it stands in the receiver's `ready`
};

// A send whose bytes are being read by the receiver's thread.
struct Loan {
  Transfer* send = nullptr;
  int sender = 0;
  Transfer* recv = nullptr;
};

// What happens on every message touches only what it concerns: a queue stands with its receiver,
// and whatever is pending is found without a look at the other ranks.
struct Member {
  std::condition_variable changed;
  bool woken = false;  // by wake()
  bool moved = false;  // a peer completed a send of this rank
  bool left = false;
  Claim claim;
  Testimony testimony;
  std::map<Link, Queue> inbound;                 // by the sender
  std::vector<std::pair<int, Queue*>> outbound;  // with the receiver
  std::vector<Queue*> ready;                     // inbound ones that have a pair to carry out
  std::vector<Loan> borrowed;                    // it is the receiver
  int lent = 0;                                  // loans of which it is the sender
};

// What the ranks of one communicator share; one mutex guards it all.
struct World {
  explicit World(int size) : members(static_cast<std::size_t>(size)) {}

  std::mutex mutex;
  std::deque<Member> members;
  int departures = 0;                // members that have left
  std::condition_variable returned;  // the last loan of some member ended
  std::optional<Error> failure;      // final: the world is over
  std::optional<Error> suspicion;    // somebody's deadline passed: all are to testify
  // Of the last operations, what the first rank that began each called; by number, modulo.
  std::array<Claim, 8> begun;
  struct Child {
    std::shared_ptr<World> world;
    std::size_t missing;
  };
  std::map<std::uint64_t, Child> children;  // splits that not all members have joined yet

  void notify_all() {
    for (Member& member : members) member.changed.notify_all();
  }
  void fail(const Error& error) {
    if (!failure) failure = error;
    notify_all();
  }
};

class Inproc final : public Transport {
 public:
  Inproc(std::shared_ptr<World> world, int rank)
      : Transport("inproc", rank, static_cast<int>(world->members.size())),
        world_(std::move(world)) {}
  ~Inproc() override;

  Result<> begin(std::uint64_t sequence, const Call& call, std::span<const Link> links) override;
  void post(Transfer& transfer) override;
  Result<bool> poll(std::chrono::microseconds patience) override;
  bool release(Transfer& transfer) override;
  void cancel() override;
  void wake() override;
  Error conclude(const Error& finding, std::span<const int> waiting_for) override;
  Result<std::unique_ptr<Transport>> split(std::span<const int> members,
                                           std::uint64_t context) override;

 private:
  Member& member(int rank) const { return world_->members[static_cast<std::size_t>(rank)]; }
  Member& self() const { return member(rank()); }
  void look_for_pair(int receiver, Queue& queue);
  bool match_all(Lock& lock);
  bool match(Queue& queue, Lock& lock);
  std::optional<Error> disagreement(const Entry& send, const Entry& recv) const;
  void complete_send(const Loan& loan);
  std::optional<Error> obstacle() const;
  std::optional<Error> missing_peer() const;
  void withdraw(Lock& lock);
  Error await_testimonies(Lock& lock);

  std::shared_ptr<World> world_;
};

Inproc::~Inproc() {
  Lock lock(world_->mutex);
  withdraw(lock);
  self().left = true;
  ++world_->departures;
  world_->notify_all();
}

Result<> Inproc::begin(std::uint64_t sequence, const Call& call, std::span<const Link>) {
  const Lock lock(world_->mutex);
  if (const auto error = obstacle()) return *error;
  self().claim = {rank(), sequence, call};
  if (call.form == Form::exchange) return {};  // which each rank counts for itself
  // Ranks that call different things may wait for each other without a message that tells.
  Claim& first = world_->begun[sequence % world_->begun.size()];
  if (first.sequence < sequence) first = self().claim;
  if (first.sequence == sequence && first.call != call) {
    world_->fail(mismatch(self().claim, first));
  }
  return {};
}

void Inproc::post(Transfer& transfer) {
  if (transfer.kind == Transfer::Kind::send && transfer.borrow) {
    transfer.state.store(Transfer::State::idle, std::memory_order_relaxed);
    return;  // a message is nowhere but at its sender
  }
  const Lock lock(world_->mutex);
  transfer.state.store(Transfer::State::posted, std::memory_order_relaxed);
  const int peer = transfer.link.peer;
  const Entry entry{&transfer, self().claim.sequence, self().claim.call};
  if (transfer.kind == Transfer::Kind::send) {
    Queue& queue = member(peer).inbound[{rank(), transfer.link.channel}];
    if (!std::exchange(queue.is_known_to_sender, true)) self().outbound.emplace_back(peer, &queue);
    queue.sends.push_back(entry);
    look_for_pair(peer, queue);
    return;
  }
  Queue& queue = self().inbound[transfer.link];
  queue.recvs.push_back(entry);
  look_for_pair(rank(), queue);
}

// A receiver that has posted nothing yet is left to sleep: it looks when it posts.
void Inproc::look_for_pair(int receiver, Queue& queue) {
  if (queue.sends.empty() || queue.recvs.empty() || std::exchange(queue.is_ready, true)) return;
  member(receiver).ready.push_back(&queue);
  if (receiver != rank()) member(receiver).changed.notify_one();
}

Result<bool> Inproc::poll(std::chrono::microseconds patience) {
  const auto give_up = Clock::now() + patience;
  Lock lock(world_->mutex);
  while (true) {
    const bool received = match_all(lock);
    if (received || std::exchange(self().moved, false)) return true;
    if (const auto error = obstacle()) return *error;
    if (patience.count() == 0 || std::exchange(self().woken, false)) return false;
    if (self().changed.wait_until(lock, give_up) == std::cv_status::timeout) return false;
  }
}

bool Inproc::match_all(Lock& lock) {
  bool moved = false;
  std::vector<Queue*>& ready = self().ready;
  while (!ready.empty()) {
    Queue& queue = *ready.back();
    ready.pop_back();
    queue.is_ready = false;
    while (match(queue, lock)) moved = true;
  }
  return moved;
}

// Carries out the first pair of a queue whose receiver is this rank.
bool Inproc::match(Queue& queue, Lock& lock) {
  if (world_->failure || queue.sends.empty() || queue.recvs.empty()) return false;
  const Entry send = queue.sends.front();
  const Entry recv = queue.recvs.front();
  if (const auto error = disagreement(send, recv)) {
    world_->fail(*error);
    return false;
  }
  queue.sends.pop_front();
  queue.recvs.pop_front();
  const Loan loan{send.transfer, recv.transfer->link.peer, recv.transfer};
  ++member(loan.sender).lent;
  if (recv.transfer->borrow) {
    recv.transfer->data = send.transfer->data;
    recv.transfer->offset = 0;
    recv.transfer->part = recv.transfer->size;
    self().borrowed.push_back(loan);
  } else {
    lock.unlock();
    std::copy_n(send.transfer->data, send.transfer->size, recv.transfer->data);
    lock.lock();
    complete_send(loan);
  }
  recv.transfer->state.store(Transfer::State::done, std::memory_order_release);
  return true;
}

std::optional<Error> Inproc::disagreement(const Entry& send, const Entry& recv) const {
  const int sender = recv.transfer->link.peer;
  // The ranks count their exchanges each for itself.
  const bool exchange = send.call.form == Form::exchange && recv.call.form == Form::exchange;
  if (!exchange && (send.sequence != recv.sequence || send.call != recv.call)) {
    return mismatch({sender, send.sequence, send.call}, {rank(), recv.sequence, recv.call});
  }
  const Parcel sent{send.transfer->size, send.transfer->dtype};
  const Parcel expected{recv.transfer->size, recv.transfer->dtype};
  if (sent.bytes != expected.bytes || (exchange && sent.dtype != expected.dtype)) {
    return unlike_parcels(recv.call, sender, sent, rank(), expected);
  }
  return std::nullopt;
}

// The sender may free the transfer as soon as its state is `done`.
void Inproc::complete_send(const Loan& loan) {
  Member& sender = member(loan.sender);
  loan.send->state.store(Transfer::State::done, std::memory_order_release);
  sender.moved = true;
  sender.changed.notify_all();
  if (--sender.lent == 0) world_->returned.notify_all();
}

// What keeps this rank from ever going on.
std::optional<Error> Inproc::obstacle() const {
  if (world_->failure) return world_->failure;
  if (world_->suspicion) return world_->suspicion;
  return world_->departures > 0 ? missing_peer() : std::nullopt;
}

// A transfer is posted for which nobody will ever post the counterpart.
std::optional<Error> Inproc::missing_peer() const {
  for (const auto& [link, queue] : self().inbound) {
    const Member& peer = member(link.peer);
    if (peer.left && !queue.recvs.empty()) return departed(link.peer, peer.claim.sequence);
  }
  for (const auto& [receiver, queue] : self().outbound) {
    const Member& peer = member(receiver);
    if (peer.left && !queue->sends.empty()) return departed(receiver, peer.claim.sequence);
  }
  return std::nullopt;
}

// Who lends waits until it has its bytes back, also when it gives up.
bool Inproc::release(Transfer& transfer) {
  const Lock lock(world_->mutex);
  std::vector<Loan>& borrowed = self().borrowed;
  const auto found = std::find_if(borrowed.begin(), borrowed.end(),
                                  [&](const Loan& loan) { return loan.recv == &transfer; });
  if (found == borrowed.end()) return true;
  const Loan loan = *found;
  borrowed.erase(found);
  complete_send(loan);
  return true;
}

void Inproc::cancel() {
  Lock lock(world_->mutex);
  world_->fail(
      Error(ErrorCode::aborted, rank(), concat("rank ", rank(), " gave up the operation")));
  withdraw(lock);
}

// Takes back all that this rank has posted, and waits until nobody reads its bytes any more. A
// receiver never waits for anything while it holds a loan, so that this takes a bounded time.
void Inproc::withdraw(Lock& lock) {
  for (auto& [link, queue] : self().inbound) queue.recvs.clear();
  for (const auto& [receiver, queue] : self().outbound) queue->sends.clear();
  for (const Loan& loan : std::exchange(self().borrowed, {})) complete_send(loan);
  world_->returned.wait(lock, [&] { return self().lent == 0; });
}

void Inproc::wake() {
  const Lock lock(world_->mutex);
  self().woken = true;
  self().changed.notify_all();
}

Error Inproc::conclude(const Error& finding, std::span<const int> waiting_for) {
  Lock lock(world_->mutex);
  if (finding.code() == ErrorCode::timeout && !world_->failure) {
    self().testimony = {true, {waiting_for.begin(), waiting_for.end()}};
    if (!world_->suspicion) world_->suspicion = finding;
    world_->notify_all();
    world_->fail(await_testimonies(lock));
  } else {
    world_->fail(finding);
  }
  return *world_->failure;
}

Error Inproc::await_testimonies(Lock& lock) {
  constexpr auto window = std::chrono::milliseconds(200);
  self().changed.wait_until(lock, Clock::now() + window, [&] {
    return world_->failure || std::all_of(world_->members.begin(), world_->members.end(),
                                          [](const Member& m) { return m.testimony.answered; });
  });
  std::vector<Testimony> world;
  for (const Member& other : world_->members) world.push_back(other.testimony);
  const std::vector<int> blamed = culprits(rank(), world);
  return blamed.empty() ? out_of_time(world) : unanswered(blamed, "");
}

Result<std::unique_ptr<Transport>> Inproc::split(std::span<const int> members,
                                                 std::uint64_t context) {
  const auto place = std::find(members.begin(), members.end(), rank());
  if (place == members.end()) {
    return Error(ErrorCode::invalid_argument,
                 concat("rank ", rank(), " is not among the members of the new communicator"));
  }
  const Lock lock(world_->mutex);
  auto& child = world_->children[context];
  if (!child.world) {
    child = {std::make_shared<World>(static_cast<int>(members.size())), members.size()};
  }
  const std::shared_ptr<World> world = child.world;
  if (--child.missing == 0) world_->children.erase(context);
  return std::unique_ptr<Transport>(
      std::make_unique<Inproc>(world, static_cast<int>(place - members.begin())));
}

}  // namespace

std::vector<std::unique_ptr<Transport>> make_inproc(int ranks) {
  const auto world = std::make_shared<World>(ranks);
  std::vector<std::unique_ptr<Transport>> transports;
  for (int rank = 0; rank < ranks; ++rank) {
    transports.push_back(std::make_unique<Inproc>(world, rank));
  }
  return transports;
}

}  // namespace rondo
