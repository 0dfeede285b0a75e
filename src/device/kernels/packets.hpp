#pragma once

// What a thread of a kernel does that exchanges few bytes: each packet of 8 bytes has half data and
// half a flag, and is written and read at once. Who finds the flag of this exchange has its data:
// so nobody waits for a word that says that the data are there, and nothing has to be reset.
//
// A thread has the same units of all buffers, of 8 bytes each, which travel in two packets. First
// it sends all of them, then it gets one after the other. So buffers may lie in place.

#include <cstddef>
#include <cstdint>

#include "device/kernels/block_program.hpp"
#include "device/kernels/walk.hpp"

namespace rondo {

/// What a kernel gets, by value. Of ranks that send nothing, or get nothing, the places are null.
struct PacketArguments {
  const void* sends[DevicePackets::most_ranks];             ///< by receiver
  std::uint64_t* outboxes[DevicePackets::most_ranks];       ///< likewise, in its memory
  const std::uint64_t* inboxes[DevicePackets::most_ranks];  ///< by sender
  void* receives[DevicePackets::most_ranks];                ///< by sender; of a fold, the first
  const void* own;  ///< what this rank would send itself; null: nothing
  std::uint32_t rank;
  std::uint32_t ranks;
  std::uint32_t flag;
  bool folds;
  std::size_t bytes;  ///< of each buffer
  int divisor;
  const std::uint32_t* stop;
};

/// Errors: invalid_argument for what no kernel could carry out, unsupported for operations that
/// are not there for the type.
Result<PacketArguments> arguments_of(const DevicePackets& packets);

/// Data of two packets.
constexpr std::size_t unit_bytes = 8;
constexpr std::size_t units_of(std::size_t bytes) {
  return (bytes + unit_bytes - 1) / unit_bytes;
}

RONDO_ON_DEVICE inline std::uint64_t load_relaxed(const std::uint64_t* packet) {
#if defined(__CUDA_ARCH__)
  std::uint64_t value;
  asm volatile("ld.relaxed.sys.global.u64 %0, [%1];" : "=l"(value) : "l"(packet) : "memory");
  return value;
#else
  return __atomic_load_n(packet, __ATOMIC_RELAXED);
#endif
}

RONDO_ON_DEVICE inline void store_relaxed(std::uint64_t* packet, std::uint64_t value) {
#if defined(__CUDA_ARCH__)
  asm volatile("st.relaxed.sys.global.u64 [%0], %1;" : : "l"(packet), "l"(value) : "memory");
#else
  __atomic_store_n(packet, value, __ATOMIC_RELAXED);
#endif
}

/// A unit of usual memory; at its end, as much as there is.
RONDO_ON_DEVICE inline std::uint64_t load_unit(const void* memory, std::size_t unit,
                                               std::size_t bytes) {
  const auto* const from = static_cast<const unsigned char*>(memory) + unit * unit_bytes;
  const std::size_t left = bytes - unit * unit_bytes;
  if (left >= unit_bytes && reinterpret_cast<std::uintptr_t>(from) % unit_bytes == 0) {
    return load<std::uint64_t>(from);
  }
  unsigned char all[unit_bytes] = {};
  for (std::size_t i = 0; i < unit_bytes && i < left; ++i) all[i] = from[i];
  std::uint64_t value;
  __builtin_memcpy(&value, all, sizeof(value));
  return value;
}

RONDO_ON_DEVICE inline void store_unit(void* memory, std::size_t unit, std::size_t bytes,
                                       std::uint64_t value) {
  auto* const to = static_cast<unsigned char*>(memory) + unit * unit_bytes;
  const std::size_t left = bytes - unit * unit_bytes;
  if (left >= unit_bytes && reinterpret_cast<std::uintptr_t>(to) % unit_bytes == 0) {
    return store(to, value);
  }
  unsigned char all[unit_bytes];
  __builtin_memcpy(all, &value, sizeof(value));
  for (std::size_t i = 0; i < unit_bytes && i < left; ++i) to[i] = all[i];
}

RONDO_ON_DEVICE inline void send_unit(std::uint64_t* box, std::size_t unit, std::uint64_t value,
                                      std::uint32_t flag) {
  const std::uint64_t mark = std::uint64_t{flag} << 32;
  store_relaxed(box + 2 * unit, mark | (value & 0xffffffffu));
  store_relaxed(box + 2 * unit + 1, mark | (value >> 32));
}

RONDO_ON_DEVICE inline bool has_unit(const std::uint64_t* box, std::size_t unit,
                                     std::uint32_t flag) {
  const std::uint64_t low = load_relaxed(box + 2 * unit) >> 32;
  const std::uint64_t high = load_relaxed(box + 2 * unit + 1) >> 32;
  return low == flag && high == flag;
}

/// One that has come.
RONDO_ON_DEVICE inline std::uint64_t take_unit(const std::uint64_t* box, std::size_t unit) {
  const std::uint64_t low = load_relaxed(box + 2 * unit) & 0xffffffffu;
  return low | (load_relaxed(box + 2 * unit + 1) << 32);
}

/// As many elements as a unit has.
template <class T>
struct alignas(unit_bytes) UnitLanes {
  static constexpr std::size_t count = unit_bytes / sizeof(T);
  T values[count];
};

/// Of all ranks, in their order.
template <class T, Op op>
RONDO_ON_DEVICE std::uint64_t fold_units(const PacketArguments& arguments, std::size_t unit) {
  using Unit = UnitLanes<T>;
  const auto get = [&](std::uint32_t rank) {
    return std::bit_cast<Unit>(rank == arguments.rank
                                   ? load_unit(arguments.own, unit, arguments.bytes)
                                   : take_unit(arguments.inboxes[rank], unit));
  };
  element::Wide<T> folded[Unit::count];
  Unit lanes = get(0);
  for (std::size_t i = 0; i < Unit::count; ++i) folded[i] = element::widen<T>(lanes.values[i]);
  for (std::uint32_t rank = 1; rank < arguments.ranks; ++rank) {
    lanes = get(rank);
    for (std::size_t i = 0; i < Unit::count; ++i) {
      folded[i] = element::Fold<op>::of(folded[i], element::widen<T>(lanes.values[i]));
    }
  }
  const bool is_copy = arguments.ranks == 1 && (op != Op::avg || arguments.divisor <= 1);
  if (!is_copy) {  // which keeps all bits, also those of a NaN
    for (std::size_t i = 0; i < Unit::count; ++i) {
      lanes.values[i] = element::narrow<T>(element::finish<op>(folded[i], arguments.divisor));
    }
  }
  return std::bit_cast<std::uint64_t>(lanes);
}

/// How far a thread has come.
struct PacketState {
  std::size_t unit = 0;
  bool has_begun = false;
  std::uint32_t looks = 0;
};

RONDO_ON_DEVICE inline void send_all(const PacketArguments& arguments, std::size_t thread,
                                     std::size_t threads) {
  for (std::size_t unit = thread; unit < units_of(arguments.bytes); unit += threads) {
    for (std::uint32_t i = 1; i < arguments.ranks; ++i) {
      const std::uint32_t peer = (arguments.rank + i) % arguments.ranks;
      if (arguments.sends[peer] == nullptr) continue;
      const std::uint64_t value = load_unit(arguments.sends[peer], unit, arguments.bytes);
      send_unit(arguments.outboxes[peer], unit, value, arguments.flag);
    }
  }
}

/// Writes a unit that has come from all ranks.
template <class T, Op op>
RONDO_ON_DEVICE void write_unit(const PacketArguments& arguments, std::size_t unit) {
  if (arguments.folds) {
    if (arguments.receives[0] == nullptr) return;
    const std::uint64_t value = fold_units<T, op>(arguments, unit);
    return store_unit(arguments.receives[0], unit, arguments.bytes, value);
  }
  for (std::uint32_t rank = 0; rank < arguments.ranks; ++rank) {
    if (arguments.receives[rank] == nullptr) continue;
    const std::uint64_t value = rank == arguments.rank
                                    ? load_unit(arguments.own, unit, arguments.bytes)
                                    : take_unit(arguments.inboxes[rank], unit);
    store_unit(arguments.receives[rank], unit, arguments.bytes, value);
  }
}

/// As far as one of `threads` threads gets without waiting.
template <class T, Op op>
RONDO_ON_DEVICE Progress advance(const PacketArguments& arguments, PacketState& state,
                                 std::size_t thread, std::size_t threads) {
  const std::size_t units = units_of(arguments.bytes);
  if (state.unit >= units && state.has_begun) return Progress::over;
  if (state.looks++ % rounds_between_looks == 0 && is_stopped(arguments.stop)) {
    state = {.unit = units, .has_begun = true, .looks = state.looks};
    return Progress::over;
  }
  if (!state.has_begun) {
    send_all(arguments, thread, threads);
    state.unit = thread;
    state.has_begun = true;
    return Progress::moved;
  }
  bool has_come = true;
  for (std::uint32_t rank = 0; rank < arguments.ranks; ++rank) {
    if (arguments.inboxes[rank] == nullptr) continue;
    // All are looked at, one beside the other: each look takes long.
    has_come &= has_unit(arguments.inboxes[rank], state.unit, arguments.flag);
  }
  if (!has_come) return Progress::waiting;
  write_unit<T, op>(arguments, state.unit);
  state.unit += threads;
  return Progress::moved;
}

}  // namespace rondo
