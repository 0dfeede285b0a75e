#pragma once

// A network that does nothing by itself: whoever drives it decides which bytes move when. It
// assumes nothing about buffering, so that a driver can explore every order that the transport
// contract allows.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "rondo/transport.hpp"

namespace rondo::sim {

/// Bugs that a test plants to see whether the simulation finds them.
enum class Fault : std::uint8_t {
  none,
  corrupts_a_byte,
  swaps_messages,
  completes_early,
  loses_one,
  gives_early,  ///< a chunk of the input, before it is there
  takes_early   ///< a chunk of the result, before it is final
};

/// One direction of a link.
struct Route {
  int from = 0;
  int to = 0;
  std::uint8_t channel = 0;
  friend auto operator<=>(const Route&, const Route&) = default;
};

class Network {
 public:
  /// With `lends`, borrowed bytes stay in the sender's memory, there is room for messages that are
  /// made in the network, and a publication is written once, when its first send is posted;
  /// otherwise all are copied.
  Network(int ranks, bool lends, Fault fault);
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;
  ~Network();

  Transport& transport(int rank) { return *transports_[static_cast<std::size_t>(rank)]; }

  /// Routes on which bytes can move: both sides wait, or the message is already in the network.
  std::vector<Route> movable() const;
  /// Routes with a message that the network could take over from its sender.
  std::vector<Route> absorbable() const;

  /// Moves at most `bytes` of the first message of a movable route.
  void move(Route route, std::size_t bytes);
  /// Takes the first message that still is at its sender, whose send is done by that.
  void absorb(Route route);
  /// Nothing moves from or to this rank any more.
  void kill(int rank) { dead_ = rank; }

  /// What the ranks did wrong: messages of different sizes or operations met.
  const std::optional<std::string>& failure() const { return failure_; }
  std::string dump() const;

 private:
  class Port;
  struct Outgoing {
    Transfer* transfer = nullptr;  // null once absorbed
    std::vector<std::byte> absorbed;
    std::size_t size = 0;
    std::uint64_t sequence = 0;
    const std::byte* data = nullptr;  // the sender's, or what was written for all readers
  };
  struct Incoming {
    Transfer* transfer = nullptr;
    std::vector<std::byte> provided;  // memory of a borrow that is not lent
    std::uint64_t sequence = 0;
  };
  struct Queue {
    std::deque<Outgoing> sends;
    std::deque<Incoming> recvs;
    std::size_t moved = 0;  // of the first message
  };
  struct Loan {
    Transfer* send = nullptr;         // to be completed by release
    std::vector<std::byte> provided;  // or the bytes themselves
  };

  struct Room {
    Route route;
    std::vector<std::byte> bytes;
    std::uint64_t sequence = 0;
  };

  // By the rank, the operation and the number.
  using PublicationKey = std::tuple<int, std::uint64_t, std::uint64_t>;
  struct Publication {
    std::vector<std::byte> bytes;
    std::vector<int> peers;
  };

  const std::byte* publish(int rank, std::uint64_t sequence, const Transfer& transfer,
                           const std::byte* data);
  void lend_room(Route route, std::uint64_t sequence, Transfer& transfer);
  void post(int rank, std::uint64_t sequence, Transfer& transfer);
  void release(Transfer& transfer);
  void finish(Queue& queue);
  bool strikes();

  const bool lends_;
  const Fault fault_;
  int messages_ = 0;
  int dead_ = -1;
  std::map<Route, Queue> queues_;
  std::map<Transfer*, Loan> loans_;  // by the recv that borrows
  std::map<Transfer*, Room> rooms_;  // by the send that borrows
  std::map<PublicationKey, Publication> publications_;
  std::optional<std::string> failure_;
  std::vector<std::unique_ptr<Transport>> transports_;
};

}  // namespace rondo::sim
