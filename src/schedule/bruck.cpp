// alltoall of short blocks in ⌈log₂ p⌉ rounds: J. Bruck, C.-T. Ho, S. Kipnis, E. Upfal and
// D. Weathersby, "Efficient algorithms for all-to-all communications in multiport message-passing
// systems", IEEE Trans. Parallel Distrib. Syst. 8 (1997).
//
//   A block that has to go i ranks further lies in slot i. In round k all blocks in slots with bit
//   k set go 2^k ranks further, packed into one message, and keep their slots. In the end, slot i
//   holds the block from i ranks before. Seven ranks:
//
//      round 0  distance 1   slots 1 3 5        the blocks of slot 2^(k+1) - 1 and below have come
//      round 1  distance 2   slots 2 3 6        where they belong after round k
//      round 2  distance 4   slots 4 5 6

#include <algorithm>

#include "schedule/builder.hpp"
#include "schedule/generators.hpp"

namespace rondo {

namespace {

constexpr int tx = 0;
constexpr int rx = 1;
constexpr int local = 2;  // lane of all copies
constexpr int channel = 0;

// Scratch: room to pack a message and room to unpack one, both in the mirror, where a message can
// carry a run of blocks; then the slots.
class Bruck {
 public:
  Bruck(ProgramBuilder& build, std::uint32_t room)
      : build_(build),
        ranks_(static_cast<std::uint32_t>(build.ranks())),
        rank_(static_cast<std::uint32_t>(build.rank())),
        room_(room),
        slots_(build.new_scratch(ranks_).segment) {}

  // Slot i gets the block for rank r+i. Slot 0 never moves and is not used. Runs of blocks would
  // take two copies on most ranks, but one on the first and last: then not all ranks would do
  // alike.
  void fill_slots() {
    build_.copy(local, in(rank_), out(rank_));
    for (std::uint32_t i = 1; i < ranks_; ++i) {
      build_.copy(local, in((rank_ + i) % ranks_), slots(i, 1));
    }
  }

  void round(std::uint32_t distance) {
    std::uint32_t packed = 0;
    for_each_run(distance, [&](std::uint32_t first, std::uint32_t count) {
      build_.copy(local, slots(first, count), scratch(packed, count));
      packed += count;
    });
    build_.send(tx, static_cast<int>((rank_ + distance) % ranks_), channel, scratch(0, packed));
    build_.recv(rx, static_cast<int>((rank_ + ranks_ - distance) % ranks_), channel,
                scratch(room_, packed));
    std::uint32_t unpacked = room_;
    for_each_run(distance, [&](std::uint32_t first, std::uint32_t count) {
      if (first > distance) {
        build_.copy(local, scratch(unpacked, count), slots(first, count));
      } else {
        deliver(first, count, unpacked);
      }
      unpacked += count;
    });
  }

 private:
  Slice slots(std::uint32_t first, std::uint32_t count) const {
    return scratch(slots_ + first, count);
  }

  // The slots with this bit set, in runs.
  template <class Visit>
  void for_each_run(std::uint32_t bit, Visit visit) const {
    for (std::uint32_t first = bit; first < ranks_; first += 2 * bit) {
      visit(first, std::min(bit, ranks_ - first));
    }
  }

  // No further bit is set: these blocks are at their destination.
  void deliver(std::uint32_t first, std::uint32_t count, std::uint32_t unpacked) {
    for (std::uint32_t i = 0; i < count; ++i) {
      build_.copy(local, scratch(unpacked + i), out((rank_ + ranks_ - first - i) % ranks_));
    }
  }

  ProgramBuilder& build_;
  std::uint32_t ranks_;
  std::uint32_t rank_;
  std::uint32_t room_;
  std::uint32_t slots_;
};

}  // namespace

Program bruck(const Plan& plan, int rank) {
  const auto ranks = static_cast<std::uint32_t>(plan.ranks);
  const std::uint32_t room = ranks / 2;  // no bit is set in more than half of the slots
  ProgramBuilder build(
      plan, rank, Shape{.blocks = ranks, .segments = 1, .scratch = 2 * room, .mirror = 2 * room});
  Bruck bruck(build, room);
  bruck.fill_slots();
  for (std::uint32_t distance = 1; distance < ranks; distance *= 2) bruck.round(distance);
  return std::move(build).finish();
}

}  // namespace rondo
