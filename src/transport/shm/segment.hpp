#pragma once

// Memory that one process writes and others read. It has no name: the descriptor is passed over a
// Unix socket, and the memory is gone with the last process that has it mapped.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/descriptor.hpp"
#include "base/hash.hpp"

namespace rondo::process {

/// What the links of all communicators may have of one rank's shared memory. When it is used up, a
/// further link gets what it cannot do without.
class MemoryBudget {
 public:
  static constexpr std::size_t usual = std::size_t{4} << 20;

  explicit MemoryBudget(std::size_t whole = usual) : whole_(whole) {}

  std::size_t whole() const { return whole_; }
  /// Bytes for one more link of a communicator with `peers` other ranks on this host: less and less
  /// as memory gets short, but never less than `least`.
  std::size_t take(std::size_t peers, std::size_t least, std::size_t most);
  /// A quarter of what is left, but not more than `most`; 0 where that is less than `least`.
  std::size_t take_quarter(std::size_t least, std::size_t most);
  void give_back(std::size_t bytes) { taken_.fetch_sub(bytes, std::memory_order_relaxed); }
  std::size_t left() const { return left_after(taken_.load(std::memory_order_relaxed)); }

 private:
  std::size_t left_after(std::size_t taken) const { return taken < whole_ ? whole_ - taken : 0; }
  template <class Wanted>
  std::size_t take_of(std::size_t least, std::size_t most, Wanted wanted);

  std::size_t whole_;
  std::atomic<std::size_t> taken_ = 0;
};

/// A shared mapping; `bytes` is rounded up to pages.
class Mapping {
 public:
  /// `is_kept`: its addresses are the user's, and stay mapped after it.
  Mapping(std::byte* data, std::size_t bytes, bool is_kept = false)
      : data_(data), bytes_(bytes), is_kept_(is_kept) {}
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping();
  std::byte* data() const { return data_; }
  std::size_t bytes() const { return bytes_; }

 private:
  std::byte* data_;
  std::size_t bytes_;
  bool is_kept_;
};

/// Memory without a name that nobody can make shorter. Errors: resource, io, unsupported.
Result<Descriptor> make_memory(std::size_t bytes);
std::size_t whole_pages(std::size_t bytes);
Result<std::shared_ptr<Mapping>> map_memory(const Descriptor& memory, std::size_t bytes,
                                            bool is_own);
/// Gives its pages to memory that is about to be used again and again, in one go: to find them
/// missing one by one costs each message more than a small one takes. Where the system cannot, they
/// come when they are touched. `is_own`: written here, and read otherwise.
void populate(const std::byte* data, std::size_t bytes, bool is_own);
/// Whether memory that somebody passed has this length, and will keep it.
bool is_as_long(const Descriptor& memory, std::size_t bytes);

/// The first bytes of a segment.
struct SegmentHead {
  Bits128 id = {};  ///< random: whoever finds it in a mapping has mapped the right memory
  /// The owner is about to sleep, or sleeps: ring its bell after writing something for it.
  alignas(128) std::atomic<std::uint32_t> is_asleep = 0;
  /// Before it sleeps it puts a fence everywhere.
  std::atomic<std::uint32_t> has_fences_everywhere = 0;
};
static_assert(std::atomic<std::uint32_t>::is_always_lock_free);

class Segment {
 public:
  /// Pages take memory when they are first written. Errors: resource, io, unsupported.
  static Result<std::unique_ptr<Segment>> make(std::size_t bytes);
  ~Segment();

  SegmentHead& head() const { return *reinterpret_cast<SegmentHead*>(mapping_->data()); }
  int fd() const { return memory_.fd(); }
  std::size_t bytes() const { return mapping_->bytes(); }
  std::byte* at(std::size_t offset) const { return mapping_->data() + offset; }
  /// The offset of memory that nobody has yet, for ever; 0 when there is not so much of it.
  std::size_t allocate(std::size_t bytes);

  static constexpr std::size_t alignment = 128;

 private:
  Segment(Descriptor memory, std::shared_ptr<Mapping> mapping);

  Descriptor memory_;
  std::shared_ptr<Mapping> mapping_;
  std::size_t used_;
};

/// Another rank's segment, for reading. A segment of the same process is not mapped twice.
/// Errors: unsupported (it is not what its owner said), resource, io.
Result<std::shared_ptr<const Mapping>> map_segment(const Descriptor& memory, const Bits128& id,
                                                   std::size_t bytes);

}  // namespace rondo::process
