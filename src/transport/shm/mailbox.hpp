#pragma once

// Shared memory that carries the messages of a link in both directions.
//
// Each side owns an outbox, which it writes and the peer reads, and an inbox, in which it says how
// much it has taken of the peer's outbox. So every word has one writer:
//
//   sender                                    receiver
//   writes bytes into the ring                waits for stamp == taken + 1
//   writes the line, its stamp last     ──►   reads the bytes where they are
//   may use line and bytes again        ◄──   taken + 1 in its inbox
//
// A message is one line when it is small enough to travel inside of it, else a line for each part,
// whose bytes lie in the ring. A large one that lies in memory of rondo::allocate() is one line,
// too: the receiver maps that memory and reads the bytes there, and the sender has them back when
// the line is taken. A receiver that cannot map it takes the line and says so; the message comes
// again, through the ring. What goes to several peers is written once (publisher.hpp), and each of
// them gets a line. Whoever sleeps says so first and looks once more; whoever has written looks
// whether the other one sleeps, and rings: with a fence between the two steps of each (fence.hpp),
// one of the two sees the other.

#include <sys/types.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "transport/route/carrier.hpp"
#include "transport/shm/fence.hpp"
#include "transport/shm/publisher.hpp"
#include "transport/shm/regions.hpp"
#include "transport/shm/ring.hpp"
#include "transport/shm/segment.hpp"
#include "transport/shm/store_choice.hpp"

namespace rondo::process {

/// Of cache lines; what a message does not fill is not touched. A message that travels inside costs
/// one wait for the other core, one in the ring a second wait.
struct alignas(128) Line {
  static constexpr std::size_t inline_bytes = 360;

  std::atomic<std::uint32_t> stamp;  ///< counts the lines of the outbox, from 1
  std::uint32_t bytes;               ///< of the part
  std::uint64_t agreement;           ///< of the message, in its first line: see Operation
  std::uint64_t size;                ///< of the whole message
  std::array<std::byte, inline_bytes> payload;  ///< else a Place

  /// Its owner may write at any time: what is looked at twice is copied first.
  struct Head {
    std::uint32_t bytes = 0;
    std::uint64_t agreement = 0;
    std::uint64_t size = 0;
  };
  Head head() const;

  /// Where the bytes are that did not fit.
  struct Place {
    enum class Where : std::uint64_t {
      ring,     ///< of the outbox
      region,   ///< of the sender's memory
      segment,  ///< of the sender: others read them, too
    };
    std::uint64_t offset = 0;
    Bits128 region = {};
    Where where = Where::ring;
  };
  Place place() const;
  void set_place(const Place& place);
};
static_assert(sizeof(Line) == 384);

struct alignas(128) Outbox {
  static constexpr std::uint32_t lines_at_once = 32;

  std::atomic<std::uint32_t> is_full;    ///< its owner sleeps until the reader has taken something
  std::atomic<std::uint32_t> is_closed;  ///< its owner's memory is its own again
  std::array<Line, lines_at_once> lines;
  std::array<Frame, lines_at_once> frames;  ///< of the message whose first line it is
  // The ring follows.

  std::byte* ring() { return reinterpret_cast<std::byte*>(this + 1); }
  const std::byte* ring() const { return reinterpret_cast<const std::byte*>(this + 1); }
};

struct alignas(128) Inbox {
  std::atomic<std::uint32_t> taken;       ///< lines of the peer's outbox
  std::atomic<std::uint32_t> is_reading;  ///< a region of the peer
  std::atomic<std::uint32_t> refused;     ///< the last line whose region could not be mapped
};

/// One side's part of a link.
struct OwnBoxes {
  Outbox* outbox = nullptr;
  Inbox* inbox = nullptr;
  std::size_t ring_bytes = 0;
};

/// The other one's, and how to wake it.
struct PeerBoxes {
  const Outbox* outbox = nullptr;
  const Inbox* inbox = nullptr;
  const SegmentHead* head = nullptr;
  std::size_t ring_bytes = 0;
  std::size_t segment_bytes = 0;       ///< from its head on
  int bell = -1;                       ///< an eventfd
  std::shared_ptr<const void> memory;  ///< keeps all of it
};

class Mailbox final : public Carrier {
 public:
  /// `socket`: to the peer, for telling of regions. `publisher`: of all links of the communicator.
  Mailbox(const OwnBoxes& own, PeerBoxes peer, Descriptor socket, Publisher& publisher);
  ~Mailbox() override { publisher_.forget(*peer_.inbox); }

  bool send(Traffic& traffic, const Operation& operation) override;
  bool receive(Traffic& traffic, const Operation& operation) override;
  void lend_room(Transfer& transfer, const Operation& operation) override;
  bool release(Transfer& transfer, const Operation& operation) override;
  void glance(Traffic& traffic, const Operation& operation) override;
  bool is_stuck(const Traffic& traffic, bool is_gone) const override;
  bool is_unused() const override { return false; }
  void prepare_sleep(const Traffic& traffic) override;
  void close() override;
  bool is_being_read() const override;
  bool is_memory() const override { return true; }

  static constexpr std::size_t least_ring_bytes = 4 << 10;
  static constexpr std::size_t most_ring_bytes = 1152 << 10;
  /// Smaller messages are copied: their sender need not wait.
  static constexpr std::size_t least_in_place = 32 << 10;
  /// Smaller ones are in the first cache when they are copied.
  static constexpr std::size_t least_room = 64 << 10;

 private:
  static constexpr std::uint32_t lines = Outbox::lines_at_once;

  bool offer_in_place(const Transfer& transfer, const Operation& operation);
  bool has_been_read();
  void join_publication(const Transfer& transfer, const Operation& operation);
  void send_inline(const Transfer& transfer, const Operation& operation);
  void send_part(const Transfer& transfer, const Operation& operation);
  bool has_free_line() const { return written_ - freed_ < lines; }
  bool has_line();  // after a look at what the peer has taken
  bool receive_in_place(Traffic& traffic, const Line::Place& place, const Operation& operation);
  void refuse_region(const Transfer& transfer, const Operation& operation);
  bool is_taken_back() const;
  bool end_reading();
  void copy_in(std::byte* target, const Transfer& transfer, std::size_t bytes,
               const Operation& operation);
  void count_time(const Transfer& transfer, const Operation& operation);
  void copy_out(const Transfer& transfer, std::size_t offset, const std::byte* bytes,
                std::size_t count);
  void lend(Transfer& transfer, const std::byte* bytes, std::size_t offset, std::size_t part);
  void begin_line(Line& line, const Transfer& transfer, const Operation& operation);
  std::size_t part_of(const Transfer& transfer) const;
  bool has_room(const Transfer& transfer) const;
  bool has_room(std::size_t bytes) const;
  void clear_full();
  void publish();
  void note_taken();
  bool has_arrived() const;
  const Line& next_line() const { return peer_.outbox->lines[taken_ % lines]; }
  Trouble judge(const Line::Head& head, const Transfer& transfer, const Operation& operation,
                Frame& frame) const;
  const std::byte* bytes_of(const Line::Head& head, const Line::Place& place,
                            const Transfer& transfer) const;
  void acknowledge(const Transfer& transfer, const Operation& operation);
  void ring_bell() const;

  OwnBoxes own_;
  PeerBoxes peer_;
  bool has_light_fences_;  // on both sides

  // Positions in the ring count on over its end.
  std::uint32_t written_ = 0;                        // lines
  std::uint32_t freed_ = 0;                          // of these, taken by the peer
  Ring ring_;                                        // of the own outbox
  std::array<std::uint64_t, lines> ring_ends_ = {};  // after each line
  std::size_t sent_ = 0;                             // of the first message
  Publisher& publisher_;
  Publisher::Piece* piece_ = nullptr;  // the message at hand, where other peers get it, too …
  bool is_unpublished_ = false;        // … but this one by itself
  bool is_offered_ = false;            // it lies in a region; its line is the last one
  bool is_refused_ = false;            // the peer cannot map all of them: they go through the ring
  StoreChoice stores_;

  std::uint32_t taken_ = 0;
  std::size_t received_ = 0;               // of the first message
  const Transfer* lent_ = nullptr;         // reads the next line
  std::shared_ptr<const Mapping> region_;  // being read
  bool is_revoked_ = false;                // the peer took back what was to be read

  RegionTalk talk_;
};

}  // namespace rondo::process
