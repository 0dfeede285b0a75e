#pragma once

// Words that the ranks of a host share, and that their streams write and wait for. They are host
// memory, pinned by each process: so the host can end all waits, whatever streams do.
//
// Counters are on a circle: `a` has come to `b` where int32(a - b) >= 0.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/hash.hpp"
#include "device/peer_cache.hpp"
#include "device/runtime.hpp"
#include "transport/shm/segment.hpp"

namespace rondo {

inline bool has_come(std::uint32_t word, std::uint32_t turn) {
  return static_cast<std::int32_t>(word - turn) >= 0;
}

/// This process as another one would name it: no two runtimes share memory, even in one process.
ProcessName own_process_name(const DeviceRuntime& runtime);

class DeviceFlags {
 public:
  /// Where a process finds another one's: plain values, to be sent.
  struct Origin {
    ProcessName owner;
    std::int64_t pid = 0;
    std::int64_t descriptor = -1;
    std::uint64_t shared = 0;  ///< for ranks of the same process: a std::shared_ptr<DeviceFlags>*
    Bits128 id = {};
  };

  /// By one of the ranks. Errors: resource, io, unsupported.
  static Result<std::shared_ptr<DeviceFlags>> make(DeviceRuntime& runtime, int ranks);
  /// By the others; `origin` is what it said, and its `shared` is still there.
  static Result<std::shared_ptr<DeviceFlags>> open(DeviceRuntime& runtime, int ranks,
                                                   const Origin& origin);
  DeviceFlags(const DeviceFlags&) = delete;
  DeviceFlags& operator=(const DeviceFlags&) = delete;
  /// No stream uses it any more.
  ~DeviceFlags();

  /// Where it was made.
  Origin origin(const std::shared_ptr<DeviceFlags>& self) const;

  // Words of a rank, which are zero at first.

  std::uint32_t* given(int rank) { return word(rank, 0); }   ///< the user's stream came so far
  std::uint32_t* taken(int rank) { return word(rank, 1); }   ///< it may go on
  std::uint32_t* busy(int rank) { return word(rank, 2); }    ///< it may use others' memory
  std::uint32_t* idle(int rank) { return word(rank, 3); }    ///< it is through with that
  std::uint32_t* closed(int rank) { return word(rank, 4); }  ///< it has nothing open any more
  /// How many of its steps `from` has carried out, as far as `to` waits for them.
  std::uint32_t* told(int to, int from) { return word(to, own_words + from); }
  /// Of all: 1 when nobody is to touch others' memory any more.
  std::uint32_t* stop() { return reinterpret_cast<std::uint32_t*>(begin_); }

  static std::uint32_t read(std::uint32_t* word) {
    return std::atomic_ref(*word).load(std::memory_order_seq_cst);
  }
  static void write(std::uint32_t* word, std::uint32_t value) {
    std::atomic_ref(*word).store(value, std::memory_order_seq_cst);
  }

 private:
  static constexpr std::size_t line = 64;
  static constexpr int own_words = 5;

  DeviceFlags(DeviceRuntime& runtime, int ranks, std::unique_ptr<process::Segment> segment,
              std::shared_ptr<process::Mapping> mapping, std::byte* begin);
  static std::size_t bytes_for(int ranks);
  Result<> pin();
  std::uint32_t* word(int rank, int number) {
    const auto index =
        static_cast<std::size_t>(rank) * static_cast<std::size_t>(ranks_ + own_words);
    return reinterpret_cast<std::uint32_t*>(begin_ +
                                            (1 + index + static_cast<std::size_t>(number)) * line);
  }

  DeviceRuntime& runtime_;
  const int ranks_;
  const std::unique_ptr<process::Segment> segment_;  // where it was made
  const std::shared_ptr<process::Mapping> mapping_;  // elsewhere
  std::byte* const begin_;
  void* pinned_ = nullptr;
};

}  // namespace rondo
