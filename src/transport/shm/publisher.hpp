#pragma once

// What one rank writes once for several readers: a ring of its segment, beside those of its links.
//
// The link that comes first writes the bytes of a publication; each link announces them with lines
// of its own, as it does with what lies in its own ring. A piece of the ring is free again when all
// of its readers have taken their lines. Nobody waits for that: where there is no room, a message
// goes through the ring of its link.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "transport/route/carrier.hpp"
#include "transport/shm/ring.hpp"
#include "transport/shm/segment.hpp"

namespace rondo::process {

struct Inbox;

class Publisher {
 public:
  /// A publication that is under way.
  struct Piece {
    std::uint64_t sequence = 0;  ///< of the operation
    std::uint64_t publication = 0;
    std::size_t size = 0;
    std::uint64_t offset = 0;    ///< in the segment
    std::byte* bytes = nullptr;  ///< null where there was no room when the first link asked
    std::size_t written = 0;

   private:
    friend class Publisher;
    // Says in its inbox that it has taken so many lines.
    struct Reader {
      const Inbox* inbox;
      std::uint32_t line;
    };
    std::uint64_t ring_end_ = 0;
    std::uint32_t to_come_ = 0;  // sends of it
    std::vector<Reader> readers_;
  };

  explicit Publisher(MemoryBudget& budget) : budget_(budget) {}
  Publisher(const Publisher&) = delete;
  Publisher& operator=(const Publisher&) = delete;
  ~Publisher() { budget_.give_back(ring_.bytes()); }

  /// Where its ring may lie. `peers`: how many others can read it.
  void attach(Segment& segment, std::size_t peers) {
    segment_ = &segment;
    peers_ = peers;
  }

  /// What a send has to announce, and to write first, if nobody has. Null where it goes by itself.
  /// Each send asks until it gets an answer, which is one time.
  Piece* join(const Transfer& transfer, const Operation& operation);
  /// Room in which a send makes the bytes, before any other one of the publication has asked. Its
  /// first byte lies `misfit` bytes behind a multiple of 64. Null where there is no room.
  Piece* lend(const Transfer& transfer, const Operation& operation, std::size_t misfit);
  /// The reader has got to know of all of it when it has taken this line.
  void announce(Piece& piece, const Inbox& reader, std::uint32_t line);
  /// A reader that takes no more lines.
  void forget(const Inbox& reader);

  static constexpr std::size_t least_ring_bytes = 64 << 10;
  static constexpr std::size_t most_ring_bytes = 1 << 20;
  /// Larger messages go by themselves, in parts.
  static constexpr std::size_t largest_share = 2;

 private:
  static constexpr std::size_t most_pieces = 64;

  bool is_ready();
  bool takes(std::size_t bytes);
  bool make_room(std::size_t bytes, const Operation& operation);
  Piece* find(const Transfer& transfer, const Operation& operation);
  Piece* add(const Transfer& transfer, const Operation& operation);
  void place(Piece& piece, std::size_t misfit);
  void reclaim(std::uint64_t sequence);
  Piece& at(std::uint64_t index) { return pieces_[index % most_pieces]; }

  MemoryBudget& budget_;
  Segment* segment_ = nullptr;
  std::size_t peers_ = 0;
  bool is_asked_ = false;  // for memory
  std::size_t begin_ = 0;  // of the ring in the segment
  Ring ring_;
  std::vector<Piece> pieces_;  // their numbers count on
  std::uint64_t first_ = 0;
  std::uint64_t end_ = 0;
};

}  // namespace rondo::process
