#include "sim/network.hpp"

#include <algorithm>
#include <utility>

#include "base/text.hpp"

namespace rondo::sim {

namespace {

// What memory holds that nobody should look at: receive buffers before their message has arrived,
// and borrowed bytes after their release.
constexpr auto junk = std::byte{0xdb};

constexpr int message_at_fault = 3;

}  // namespace

// One rank's end of the network.
class Network::Port final : public Transport {
 public:
  Port(Network& network, int rank, int size)
      : Transport("simulated", rank, size), network_(network) {}

  Result<> begin(std::uint64_t sequence, const Call&, std::span<const Link>) override {
    sequence_ = sequence;
    return {};
  }
  void post(Transfer& transfer) override { network_.post(rank(), sequence_, transfer); }
  Result<bool> poll(std::chrono::microseconds) override { return false; }
  bool release(Transfer& transfer) override {
    network_.release(transfer);
    return true;
  }
  void cancel() override {}
  void wake() override {}
  Error conclude(const Error& finding, std::span<const int>) override { return finding; }
  Result<std::unique_ptr<Transport>> split(std::span<const int>, std::uint64_t) override {
    return Error(ErrorCode::unsupported, "the simulated network has one world");
  }

 private:
  Network& network_;
  std::uint64_t sequence_ = 0;
};

Network::Network(int ranks, bool lends, Fault fault) : lends_(lends), fault_(fault) {
  for (int rank = 0; rank < ranks; ++rank) {
    transports_.push_back(std::make_unique<Port>(*this, rank, ranks));
  }
}

Network::~Network() = default;

void Network::post(int rank, std::uint64_t sequence, Transfer& transfer) {
  const Link link = transfer.link;
  if (transfer.kind == Transfer::Kind::send && transfer.borrow) {
    lend_room({rank, link.peer, link.channel}, sequence, transfer);
    return;
  }
  transfer.state = Transfer::State::posted;
  if (transfer.kind == Transfer::Kind::send) {
    const std::byte* const data = publish(rank, sequence, transfer, transfer.data);
    queues_[{rank, link.peer, link.channel}].sends.push_back(
        {&transfer, {}, transfer.size, sequence, data});
    return;
  }
  Queue& queue = queues_[{link.peer, rank, link.channel}];
  queue.recvs.push_back({&transfer, {}, sequence});
  if (transfer.borrow) {
    queue.recvs.back().provided.assign(transfer.size, junk);
  } else {
    std::fill_n(transfer.data, transfer.size, junk);
  }
}

// Where the bytes of a send lie for its reader. What the sends of a publication have to have in
// common is checked here.
const std::byte* Network::publish(int rank, std::uint64_t sequence, const Transfer& transfer,
                                  const std::byte* data) {
  if (transfer.publication == 0) return data;
  const auto [place, is_new] = publications_.try_emplace({rank, sequence, transfer.publication});
  Publication& known = place->second;
  if (is_new) known.bytes.assign(data, data + transfer.size);
  const bool is_same = known.bytes.size() == transfer.size &&
                       std::equal(known.bytes.begin(), known.bytes.end(), data);
  const bool is_known = std::count(known.peers.begin(), known.peers.end(), transfer.link.peer) > 0;
  known.peers.push_back(transfer.link.peer);
  if (!is_same || is_known || known.peers.size() > transfer.readers) {
    failure_ = concat("rank ", rank, " sends ", transfer.size, " bytes to rank ",
                      transfer.link.peer, " as publication ", transfer.publication, " of ",
                      transfer.readers, " readers, which has ",
                      !is_same   ? "other bytes"
                      : is_known ? "this reader already"
                                 : "as many already");
  }
  return lends_ ? known.bytes.data() : data;
}

void Network::lend_room(Route route, std::uint64_t sequence, Transfer& transfer) {
  transfer.state = Transfer::State::idle;
  if (!lends_ || transfer.size == 0) return;
  Room& room = rooms_[&transfer];
  room = {route, std::vector<std::byte>(transfer.size, junk), sequence};
  transfer.data = room.bytes.data();
  transfer.state = Transfer::State::part;
}

std::vector<Route> Network::movable() const {
  std::vector<Route> routes;
  for (const auto& [route, queue] : queues_) {
    const bool alive = route.from != dead_ && route.to != dead_;
    if (alive && !queue.sends.empty() && !queue.recvs.empty()) routes.push_back(route);
  }
  return routes;
}

std::vector<Route> Network::absorbable() const {
  std::vector<Route> routes;
  for (const auto& [route, queue] : queues_) {
    const bool waiting = std::any_of(queue.sends.begin(), queue.sends.end(),
                                     [](const Outgoing& send) { return send.transfer != nullptr; });
    if (waiting && route.from != dead_ && route.to != dead_) routes.push_back(route);
  }
  return routes;
}

void Network::absorb(Route route) {
  auto& sends = queues_[route].sends;
  const auto first = std::find_if(sends.begin(), sends.end(),
                                  [](const Outgoing& send) { return send.transfer != nullptr; });
  Transfer& transfer = *std::exchange(first->transfer, nullptr);
  first->absorbed.assign(first->data, first->data + transfer.size);
  transfer.state = Transfer::State::done;
  const bool swappable = first - sends.begin() >= 2 && first->size == (first - 1)->size;
  if (fault_ == Fault::swaps_messages && swappable) std::swap(*first, *(first - 1));
}

void Network::move(Route route, std::size_t bytes) {
  Queue& queue = queues_[route];
  Outgoing& send = queue.sends.front();
  Incoming& recv = queue.recvs.front();
  if (send.size != recv.transfer->size || send.sequence != recv.sequence) {
    failure_ = concat("rank ", route.from, " sends ", send.size, " bytes in operation ",
                      send.sequence, " where rank ", route.to, " expects ", recv.transfer->size,
                      " in operation ", recv.sequence, " (channel ", int{route.channel}, ")");
    return;
  }
  const std::byte* source = send.transfer ? send.data : send.absorbed.data();
  std::byte* target = recv.transfer->borrow ? recv.provided.data() : recv.transfer->data;
  const std::size_t end = queue.moved + std::min(bytes, send.size - queue.moved);
  for (; queue.moved < end; ++queue.moved) target[queue.moved] = source[queue.moved];
  if (queue.moved == send.size || (fault_ == Fault::completes_early && strikes())) finish(queue);
}

// Completes the first message of a queue.
void Network::finish(Queue& queue) {
  Outgoing send = std::move(queue.sends.front());
  Incoming recv = std::move(queue.recvs.front());
  Transfer& transfer = *recv.transfer;
  queue.sends.pop_front();
  queue.recvs.pop_front();
  queue.moved = 0;
  const bool lent = transfer.borrow && lends_ && send.transfer != nullptr;
  if (fault_ == Fault::corrupts_a_byte && strikes() && send.size > 0 && !lent) {
    std::byte* arrived = transfer.borrow ? recv.provided.data() : transfer.data;
    arrived[send.size / 2] ^= std::byte{1};
  }
  if (transfer.borrow) {
    Loan& loan = loans_[&transfer];
    loan.provided = std::move(recv.provided);
    loan.send = lent ? send.transfer : nullptr;
    transfer.data = lent ? const_cast<std::byte*>(send.data) : loan.provided.data();
  }
  if (send.transfer != nullptr && !lent) send.transfer->state = Transfer::State::done;
  if (fault_ == Fault::loses_one && strikes()) return;
  transfer.state = Transfer::State::done;
}

void Network::release(Transfer& transfer) {
  if (const auto room = rooms_.find(&transfer); room != rooms_.end()) {
    const std::size_t size = room->second.bytes.size();
    const auto [route, bytes, sequence] = std::move(room->second);
    (void)publish(route.from, sequence, transfer, bytes.data());
    queues_[route].sends.push_back({nullptr, bytes, size, sequence});
    rooms_.erase(room);
    transfer.state = Transfer::State::done;
    return;
  }
  const auto found = loans_.find(&transfer);
  if (found == loans_.end()) {
    failure_ = "a message that is not borrowed was released";
    return;
  }
  if (found->second.send != nullptr) found->second.send->state = Transfer::State::done;
  std::fill(found->second.provided.begin(), found->second.provided.end(), junk);
  loans_.erase(found);
}

bool Network::strikes() {
  return ++messages_ == message_at_fault;
}

std::string Network::dump() const {
  std::string text;
  for (const auto& [route, queue] : queues_) {
    if (queue.sends.empty() && queue.recvs.empty()) continue;
    text += concat("  ", route.from, " -> ", route.to, " on channel ", int{route.channel}, ": ",
                   queue.sends.size(), " sends, ", queue.recvs.size(), " recvs, ", queue.moved,
                   " bytes of the first one moved\n");
  }
  return text;
}

}  // namespace rondo::sim
