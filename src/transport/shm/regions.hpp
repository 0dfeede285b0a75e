#pragma once

// The user's buffers that other ranks of this host may read in place: rondo::allocate() makes them,
// and rondo::register_memory() makes them of memory that the user has.

#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <deque>
#include <map>
#include <memory>
#include <mutex>

#include "transport/shm/segment.hpp"

namespace rondo::process {

struct Region {
  /// Nobody else can map it where `memory` is none: the system has no memory to share.
  Bits128 id = {};
  Descriptor memory;
  std::shared_ptr<const Mapping> mapping;
  pid_t owner = 0;
  bool is_registered = false;
};

/// Any thread. A forked child has its parent's regions mapped, as its own memory; but their pages
/// and descriptors are the parent's business: it neither finds them here nor frees them.
class Regions {
 public:
  static Regions& of_process();

  /// Where the system forbids memory to share it is memory of this process alone. Errors: resource,
  /// io.
  Result<std::byte*> allocate(std::size_t bytes);
  /// Its pages are free at once, even if somebody has them mapped. What allocate() did not give, or
  /// gave to another process, stays as it is.
  void deallocate(const std::byte* memory) noexcept;

  /// The whole pages inside become a region, where there are any. Errors: invalid_argument, where
  /// it overlaps what is a region or registered, or is no private memory; resource, io.
  Result<> register_memory(std::byte* memory, std::size_t bytes);
  /// What register_memory() got. Errors: invalid_argument, where it has not; resource, io: it stays
  /// registered.
  Result<> deregister_memory(const std::byte* memory);

  /// Around a fork, so that the child finds the lock free.
  void lock() { mutex_.lock(); }
  void unlock() { mutex_.unlock(); }

  /// The region in which all these bytes lie; null where they don't lie in one.
  std::shared_ptr<const Region> find(const std::byte* data, std::size_t bytes) const;
  /// One of this process, for ranks that are threads of it.
  std::shared_ptr<const Region> find(const Bits128& id) const;

 private:
  // What the user registered; without whole pages there is no region in it.
  struct Registration {
    std::size_t bytes = 0;
    pid_t owner = 0;
    const std::byte* region = nullptr;
  };

  bool overlaps(const std::byte* memory, std::size_t bytes) const;
  void add(const std::byte* data, Region region);
  std::shared_ptr<const Region> take(const std::byte* data);

  mutable std::mutex mutex_;
  std::atomic<std::size_t> count_ = 0;
  std::map<const std::byte*, std::shared_ptr<const Region>> by_address_;
  std::map<const std::byte*, Registration> registered_;  // by address
};

/// The regions of which two ranks have told each other over a Unix socket. Both keep the last ones
/// in the same order, so that the one who tells knows which of them the other one still has.
class RegionTalk {
 public:
  explicit RegionTalk(Descriptor socket) : socket_(std::move(socket)) {}

  /// Makes sure that the peer can find it. False where that cannot be done without waiting.
  bool tell(const Region& region);
  /// What the peer has told of, mapped; null, where it has not or where it can't be mapped.
  std::shared_ptr<const Mapping> find(const Bits128& id);

  static constexpr std::size_t most_kept = 256;

 private:
  struct Kept {
    Bits128 id;
    std::shared_ptr<const Mapping> mapping;
  };

  bool hear();

  Descriptor socket_;
  std::deque<Bits128> told_;
  std::deque<Kept> heard_;
};

}  // namespace rondo::process
