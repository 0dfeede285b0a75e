#pragma once

// How to store into memory that another core reads.
//
// Plain stores leave the bytes in the cache, where the next reader finds them: best where the cores
// share one, and there is room. Elsewhere each store first has to take the line away from another
// cache, and stores past the cache can be several times faster, although the reader fetches from
// memory then. What is the case no topology says, least of all that of a virtual machine, whose
// cores move about; so it is measured as messages pass. The time of a copy does not tell: what one
// side saves the other one may pay. The time in which a run of messages got through does.

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace rondo::process {

class StoreChoice {
 public:
  using Clock = std::chrono::steady_clock;

  /// Whether bytes of a message are best stored past the cache. They are about to be, as part of
  /// operation `sequence`.
  bool is_past_cache(std::uint64_t sequence, std::size_t message_bytes, std::size_t bytes,
                     Clock::time_point now);

  /// Something of the operation has been waited for: its time counts up to here.
  void mark(std::uint64_t sequence, Clock::time_point now);

  /// Smaller messages fit into the buffers between core and cache, and take plain stores.
  static constexpr std::size_t least_measured = 2 << 10;

 private:
  enum Way : std::uint8_t { plain, past_cache };
  static constexpr int ways = 2;

  // Messages of about the same size. They go in runs that are all stored in one way.
  struct Experience {
    std::array<double, ways> pace = {};  // recent time for a KiB, in ns; 0: not known
    Way way = plain;
    std::uint32_t copies_left = 0;  // in this run
    std::uint32_t runs_left = 0;    // until the other way is tried again
    std::uint32_t patience = 0;     // between trials
    double pace_at_trial = 0;       // of the better way; the cores may have moved since
    double nanoseconds = 0;
    std::size_t bytes = 0;

    Way better() const { return pace[past_cache] < pace[plain] ? past_cache : plain; }
    void finish_run();
    void begin_run();
  };
  static constexpr std::size_t size_classes = 5;  // a factor of 8 each

  static std::size_t class_of(std::size_t message_bytes);

  std::array<Experience, size_classes> experience_;
  Experience* current_ = nullptr;
  std::uint64_t sequence_ = 0;
  Clock::time_point marked_ = {};
};

}  // namespace rondo::process
