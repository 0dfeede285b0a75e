#pragma once

// What one communicator of this rank shares with the other ranks of its host: one segment, in which
// each link has an outbox and an inbox.

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "transport/shm/fence.hpp"
#include "transport/shm/mailbox.hpp"
#include "transport/shm/segment.hpp"

namespace rondo::process {

/// Says where the boxes of one link are; segment and bell come with it, as descriptors.
struct Offer {
  enum class Kind : std::uint32_t { offer, refusal, agreed };
  static constexpr std::uint32_t right_magic = 0x326f7272;  // "rro2"
  static constexpr std::size_t reason_bytes = 64;

  std::uint32_t magic = right_magic;
  Kind kind = Kind::offer;
  Bits128 segment = {};
  std::uint64_t segment_bytes = 0;
  std::uint64_t outbox = 0;  ///< offsets in the segment
  std::uint64_t inbox = 0;
  std::uint64_t ring_bytes = 0;
  std::uint64_t reserved = 0;
  std::array<char, reason_bytes> reason = {};  ///< of a refusal
};
static_assert(sizeof(Offer) == 128 && std::is_trivially_copyable_v<Offer>);

class SharedMemory {
 public:
  /// `peers`: how many others may want a link. `bell`: the eventfd that wakes this rank.
  SharedMemory(MemoryBudget& budget, std::size_t peers, int bell)
      : budget_(budget), peers_(peers), bell_(bell), publisher_(budget) {}
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;
  ~SharedMemory() { budget_.give_back(taken_); }

  /// Boxes for one more link. Errors: resource (the budget is used up), unsupported, io.
  Result<OwnBoxes> allocate();
  /// Boxes that no peer has agreed to use.
  void take_back(const OwnBoxes& boxes) { unused_.push_back(boxes); }
  Offer offer(const OwnBoxes& boxes) const;
  int segment_fd() const { return segment_->fd(); }
  int bell() const { return bell_; }
  /// Errors: unsupported (the offer makes no sense), resource, io.
  Result<PeerBoxes> adopt(const Offer& offer, Descriptor segment, Descriptor bell);

  /// What several links send is written by it.
  Publisher& publisher() { return publisher_; }

  /// Says to the peers that they have to ring. What they did before they heard of it can be seen
  /// afterwards, and they see what this rank did before.
  void fall_asleep() {
    if (!segment_) return;
    segment_->head().is_asleep.store(1, std::memory_order_relaxed);
    fence_everywhere();
  }
  void wake_up() {
    if (segment_) segment_->head().is_asleep.store(0, std::memory_order_relaxed);
  }

 private:
  struct Neighbour {
    std::shared_ptr<const Mapping> memory;
    Descriptor bell;
  };

  MemoryBudget& budget_;
  std::size_t peers_;
  int bell_;
  std::size_t taken_ = 0;
  std::unique_ptr<Segment> segment_;
  std::vector<OwnBoxes> unused_;
  Publisher publisher_;
  std::map<Bits128, std::weak_ptr<const Neighbour>> neighbours_;  // by segment
};

}  // namespace rondo::process
