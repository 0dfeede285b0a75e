#pragma once

// The collectives that a communicator has prepared, so that a call like an earlier one finds
// everything at once. Calls are alike when they differ in nothing but their buffers.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "api/arguments.hpp"
#include "execute/operation.hpp"
#include "rondo/erased_call.hpp"

namespace rondo {

class CallCache {
 public:
  struct Prepared {
    Operation operation = {};
    BuffersInUse buffers = {};
  };

  /// Where what such calls have in common belongs. The program is missing where it has to be
  /// prepared; what was there before is gone then. Valid until the next call. Not for uneven
  /// blocks.
  Prepared& find(const ErasedCall& call) {
    if (entries_.empty()) entries_.resize(size);
    const std::uint64_t kind =
        static_cast<std::uint64_t>(call.collective) | static_cast<std::uint64_t>(call.dtype) << 8 |
        static_cast<std::uint64_t>(call.op) << 16 |
        static_cast<std::uint64_t>(static_cast<std::uint32_t>(call.root)) << 32;
    Entry& entry = entries_[place_of(kind, call.count)];
    if (entry.kind != kind || entry.count != call.count) {
      entry.kind = kind;
      entry.count = call.count;
      entry.prepared = {};
    }
    return entry.prepared;
  }

 private:
  struct Entry {
    std::uint64_t kind = 0;
    std::uint64_t count = 0;
    Prepared prepared = {};
  };
  static constexpr int size_bits = 6;
  static constexpr std::size_t size = std::size_t{1} << size_bits;

  static std::size_t place_of(std::uint64_t kind, std::uint64_t count) {
    constexpr std::uint64_t odd = 0x9e3779b97f4a7c15u;  // 2^64 divided by the golden ratio
    return static_cast<std::size_t>(((kind ^ count * odd) * odd) >> (64 - size_bits));
  }

  std::vector<Entry> entries_;
};

}  // namespace rondo
