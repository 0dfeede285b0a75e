#pragma once

// One process's presence in a world, shared by all its communicators: the listener, the control
// links, and the pigeonholes in which each communicator finds what came for it.
//
// Control links make a circulant graph: rank r is linked to r ± 1, 2, 4, 8 …; small worlds are
// fully linked. Every new notice is passed on once by everybody, so that it reaches all ranks in
// O(log size) hops. Links keep the order, but where split() has added one, a notice can overtake an
// earlier one of its origin that comes over more hops.

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "transport/control/control_link.hpp"
#include "transport/control/dial.hpp"
#include "transport/control/doorman.hpp"
#include "transport/control/frame.hpp"
#include "transport/control/membership.hpp"
#include "transport/control/pigeonholes.hpp"
#include "transport/control/seen.hpp"
#include "transport/shm/segment.hpp"

namespace rondo::process {

class Endpoint {
 public:
  /// Returns when all control links of this rank stand. Errors: join_failed, resource, io.
  static Result<std::shared_ptr<Endpoint>> form(Membership membership, Clock::time_point deadline);
  /// Says farewell, and stays until all peers have it or are out of reach (1 s).
  ~Endpoint();
  Endpoint(const Endpoint&) = delete;
  Endpoint& operator=(const Endpoint&) = delete;

  int rank() const { return membership_.rank; }
  int size() const { return static_cast<int>(membership_.members.size()); }
  const Member& member(int rank) const { return membership_.members[rank]; }
  /// False in a forked child: the connections belong to the parent.
  bool is_owned() const;

  /// Becomes readable when progress() has something to do.
  int fd() const { return epoll_.fd(); }
  /// Accepts, reads, passes on; never blocks. Where another thread is at it already, nothing is
  /// done unless `insist`.
  void progress(bool insist);
  /// True while some connection needs to be tried again after a pause.
  bool has_dials() const { return dialling_.load(std::memory_order_relaxed); }

  std::shared_ptr<Pigeonhole> attach(std::uint64_t context, int wake_fd);
  /// Tells everybody that this rank closed `context` after its operation `sequence`.
  void detach(std::uint64_t context, std::uint64_t sequence);
  News collect(Pigeonhole& pigeonhole);
  /// Tells all ranks of the world.
  void publish(Notice notice);
  /// Makes sure that a notice can pass among `members` alone.
  void link_among(std::span<const int> members);

  Hello introduce(Hello::Kind kind, int to, std::uint64_t context, std::uint8_t channel) const;
  Address address(int rank) const { return {member(rank).address, member(rank).port}; }
  /// Of its Unix socket. Ask only where it may_share_memory().
  Address door(int rank) const { return {"", 0, member(rank).door}; }
  Medium medium() const { return membership_.medium; }
  /// Whether both ranks want shared memory and are where it may reach; a first try tells whether it
  /// does.
  bool may_share_memory(int rank) const;
  /// With any rank.
  bool may_share_memory() const;
  /// Null where there is none.
  Fabric* fabric() const { return membership_.fabric.get(); }
  /// "shm+" and the fabric's name.
  std::string_view shm_and_fabric() const { return shm_and_fabric_; }
  MemoryBudget& memory() { return memory_; }
  bool is_linked(int rank) const;
  /// Ranks that should share memory do not. True the first time.
  bool note_fallback() { return !has_fallen_back_.exchange(true); }
  bool has_fallen_back() const { return has_fallen_back_; }

 private:
  enum class Standing : std::uint8_t { present, lost, gone };
  struct Outgoing {
    int peer;
    Dial dial;
  };

  Endpoint(Membership membership, Socket epoll);

  Result<> join(Clock::time_point deadline);
  bool has_joined(int peer) const;
  void await_arrival();
  void await_survivors();
  void dial(int peer);
  void sweep();
  void advance_dials();
  void receive_guests();
  void receive(Guest guest);
  void receive_notices();
  void take(const Notice& notice, const ControlLink* from);
  void pass_on(const Notice& notice, const ControlLink* except);
  void lose(int peer);
  void add_link(int peer, Socket socket);
  ControlLink* link_to(int peer) const;

  mutable std::mutex mutex_;
  Membership membership_;
  std::string shm_and_fabric_;
  Socket epoll_;
  Doorman doorman_;
  pid_t owner_;
  std::vector<std::unique_ptr<ControlLink>> links_;
  std::vector<Outgoing> outgoing_;
  std::atomic<bool> dialling_ = false;
  std::vector<Standing> standing_;  // by rank
  std::vector<SeenIds> seen_;       // by origin
  std::vector<Notice> losses_;
  std::uint64_t next_id_ = 1;
  Pigeonholes pigeonholes_;
  MemoryBudget memory_;
  std::atomic<bool> has_fallen_back_ = false;
  std::optional<Error> failure_;  // what stops join()
};

/// The ranks to which `rank` has control links.
std::vector<int> neighbours(int rank, int size);

}  // namespace rondo::process
