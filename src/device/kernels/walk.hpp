#pragma once

// What a thread of a kernel does. Here it is plain C++, so that all but the launch is tested where
// there is no device: tests run the threads one after the other.

#include <cstddef>
#include <cstdint>

#include "device/kernels/element.hpp"
#include "device/runtime.hpp"

#if defined(__CUDACC__)
#define RONDO_ON_DEVICE __host__ __device__
#else
#define RONDO_ON_DEVICE
#endif

namespace rondo {

/// How elements are read and written. All pointers of a kernel allow it.
enum class Access : std::uint8_t {
  vectors,   ///< 16 bytes at once: all places lie alike in lines of 16 bytes
  elements,  ///< one at a time: all are aligned as elements are
  bytes,     ///< nothing is aligned
};

/// A reduction as a kernel gets it, by value.
struct ReduceArguments {
  const void* sources[DeviceReduction::most_sources];
  void* destinations[DeviceReduction::most_destinations];
  int source_count;
  int destination_count;
  std::size_t count;
  std::size_t head;  ///< elements before the first whole vector
  int divisor;
  Access access;
  const std::uint32_t* stop;
};

struct CopyArguments {
  static constexpr std::size_t most = 128;
  DeviceCopy copies[most];
  const std::uint32_t* stop;
};

/// Looked at before anything is read or written.
RONDO_ON_DEVICE inline bool is_stopped(const std::uint32_t* stop) {
  if (stop == nullptr) return false;
#if defined(__CUDA_ARCH__)
  return *static_cast<const volatile std::uint32_t*>(stop) != 0;
#else
  return __atomic_load_n(stop, __ATOMIC_RELAXED) != 0;
#endif
}

/// Errors: invalid_argument for what no kernel could carry out, unsupported for operations that
/// are not there for the type.
Result<ReduceArguments> arguments_of(const DeviceReduction& reduction);
/// At most CopyArguments::most of them.
CopyArguments arguments_of(std::span<const DeviceCopy> copies, const std::uint32_t* stop);
/// Vectors, or elements where there are none: what threads have to do side by side.
std::size_t pieces_of(const ReduceArguments& arguments, DType dtype);

constexpr std::size_t vector_bytes = 16;
struct alignas(vector_bytes) VectorBytes {
  std::uint32_t words[4];
};
template <class T>
struct alignas(vector_bytes) Lanes {
  static constexpr std::size_t count = vector_bytes / sizeof(T);
  T values[count];
};

/// One element.
template <class T>
struct One {
  static constexpr std::size_t count = 1;
  T values[1];
};

#if !defined(__CUDA_ARCH__)
/// Ends the program as it would end the kernel.
template <class U>
void require_aligned(const void* place) {
  if (reinterpret_cast<std::uintptr_t>(place) % alignof(U) != 0) __builtin_trap();
}
#endif

/// Of memory that is aligned as U is.
template <class U>
RONDO_ON_DEVICE U load(const void* place) {
#if defined(__CUDA_ARCH__)
  return *static_cast<const U*>(place);
#else
  require_aligned<U>(place);
  U value;
  __builtin_memcpy(&value, place, sizeof(value));
  return value;
#endif
}
template <class U>
RONDO_ON_DEVICE void store(void* place, const U& value) {
#if defined(__CUDA_ARCH__)
  *static_cast<U*>(place) = value;
#else
  require_aligned<U>(place);
  __builtin_memcpy(place, &value, sizeof(value));
#endif
}

/// How elements are read and written with each kind of access.
template <Access access>
struct Memory;

template <>
struct Memory<Access::vectors> {
  template <class T>
  using Unit = Lanes<T>;
  template <class T>
  RONDO_ON_DEVICE static Lanes<T> get(const void* place) {
    return std::bit_cast<Lanes<T>>(load<VectorBytes>(place));
  }
  template <class T>
  RONDO_ON_DEVICE static void put(void* place, const Lanes<T>& lanes) {
    store(place, std::bit_cast<VectorBytes>(lanes));
  }
};

template <>
struct Memory<Access::elements> {
  template <class T>
  using Unit = One<T>;
  template <class T>
  RONDO_ON_DEVICE static One<T> get(const void* place) {
    return load<One<T>>(place);
  }
  template <class T>
  RONDO_ON_DEVICE static void put(void* place, const One<T>& one) {
    store(place, one);
  }
};

template <>
struct Memory<Access::bytes> {
  template <class T>
  using Unit = One<T>;
  template <class T>
  RONDO_ON_DEVICE static One<T> get(const void* place) {
    One<T> one;
    __builtin_memcpy(&one, static_cast<const unsigned char*>(place), sizeof(T));
    return one;
  }
  template <class T>
  RONDO_ON_DEVICE static void put(void* place, const One<T>& one) {
    __builtin_memcpy(static_cast<unsigned char*>(place), &one, sizeof(T));
  }
};

/// All that belongs to the elements of one unit. What is read of a place is read before it is
/// written. `Arguments` has the members of ReduceArguments, wherever its places are listed.
template <class T, Op op, Access access, class Arguments>
RONDO_ON_DEVICE void fold_unit(const Arguments& arguments, std::size_t index) {
  using Unit = typename Memory<access>::template Unit<T>;
  constexpr std::size_t lanes = Unit::count;
  element::Wide<T> folded[lanes];
  const std::size_t offset = index * sizeof(T);
  const auto get = [&](int source) {
    const auto* const begin = static_cast<const unsigned char*>(arguments.sources[source]);
    return Memory<access>::template get<T>(begin + offset);
  };
  Unit unit = get(0);
  for (std::size_t i = 0; i < lanes; ++i) folded[i] = element::widen<T>(unit.values[i]);
#if defined(__CUDA_ARCH__)
#pragma unroll 4
#endif
  for (int s = 1; s < arguments.source_count; ++s) {
    unit = get(s);
    for (std::size_t i = 0; i < lanes; ++i) {
      folded[i] = element::Fold<op>::of(folded[i], element::widen<T>(unit.values[i]));
    }
  }
  const bool is_copy = arguments.source_count == 1 && (op != Op::avg || arguments.divisor <= 1);
  if (!is_copy) {  // which keeps all bits, also those of a NaN
    for (std::size_t i = 0; i < lanes; ++i) {
      unit.values[i] = element::narrow<T>(element::finish<op>(folded[i], arguments.divisor));
    }
  }
  for (int d = 0; d < arguments.destination_count; ++d) {
    auto* const begin = static_cast<unsigned char*>(arguments.destinations[d]);
    Memory<access>::template put<T>(begin + offset, unit);
  }
}

template <class T, Op op, Access access, class Arguments>
RONDO_ON_DEVICE void fold_range(const Arguments& arguments, std::size_t begin, std::size_t end,
                                std::size_t thread, std::size_t threads) {
  constexpr std::size_t lanes = Memory<access>::template Unit<T>::count;
  for (std::size_t unit = thread; unit < (end - begin) / lanes; unit += threads) {
    fold_unit<T, op, access>(arguments, begin + unit * lanes);
  }
}

/// The share of one of `threads` threads in the elements from `begin` to `end`.
template <class T, Op op, class Arguments>
RONDO_ON_DEVICE void reduce_part(const Arguments& arguments, std::size_t begin, std::size_t end,
                                 std::size_t thread, std::size_t threads) {
  if (arguments.access == Access::bytes) {
    return fold_range<T, op, Access::bytes>(arguments, begin, end, thread, threads);
  }
  std::size_t head = end;
  std::size_t tail = end;
  if (arguments.access == Access::vectors) {
    constexpr std::size_t lanes = Lanes<T>::count;
    const std::size_t first = arguments.head;  // vectors lie one after the other from here on
    head = begin <= first ? first : begin + (lanes - (begin - first) % lanes) % lanes;
    if (head > end) head = end;
    tail = end - (end - head) % lanes;
    fold_range<T, op, Access::vectors>(arguments, head, tail, thread, threads);
  }
  fold_range<T, op, Access::elements>(arguments, begin, head, thread, threads);
  fold_range<T, op, Access::elements>(arguments, tail, end, thread, threads);
}

/// The share of one of `threads` threads.
template <class T, Op op>
RONDO_ON_DEVICE void reduce_share(const ReduceArguments& arguments, std::size_t thread,
                                  std::size_t threads) {
  reduce_part<T, op>(arguments, 0, arguments.count, thread, threads);
}

/// A copy is a reduction of one source, in the widest elements that both places allow.
template <class T>
RONDO_ON_DEVICE void copy_as(const DeviceCopy& copy, std::size_t thread, std::size_t threads) {
  const auto misalignment = reinterpret_cast<std::uintptr_t>(copy.to) % sizeof(T);
  const std::size_t gap = misalignment == 0 ? 0 : sizeof(T) - misalignment;
  const std::size_t head = gap < copy.bytes ? gap : copy.bytes;
  const std::size_t wide = (copy.bytes - head) / sizeof(T);
  auto* const to = static_cast<unsigned char*>(copy.to);
  const auto* const from = static_cast<const unsigned char*>(copy.from);
  for (std::size_t i = thread; i < wide; i += threads) {
    const std::size_t offset = head + i * sizeof(T);
    store(to + offset, load<T>(from + offset));
  }
  for (std::size_t i = thread; i < head; i += threads) to[i] = from[i];
  for (std::size_t i = head + wide * sizeof(T) + thread; i < copy.bytes; i += threads) {
    to[i] = from[i];
  }
}

RONDO_ON_DEVICE inline void copy_share(const DeviceCopy& copy, std::size_t thread,
                                       std::size_t threads) {
  const auto difference =
      reinterpret_cast<std::uintptr_t>(copy.to) ^ reinterpret_cast<std::uintptr_t>(copy.from);
  if (difference % vector_bytes == 0) return copy_as<VectorBytes>(copy, thread, threads);
  if (difference % 4 == 0) return copy_as<std::uint32_t>(copy, thread, threads);
  copy_as<unsigned char>(copy, thread, threads);
}

}  // namespace rondo
