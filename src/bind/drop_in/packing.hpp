#pragma once

// Elements that do not lie in a row, on their way to those that do, and back.

#include <mpi.h>

#include <array>
#include <climits>
#include <cstddef>
#include <cstdint>

#include "bind/drop_in/handles.hpp"
#include "bind/drop_in/member.hpp"
#include "rondo/erased_call.hpp"

namespace rondo::bind {

/// MPI counts the bytes of a packing in an int.
constexpr std::size_t most_packed = INT_MAX;

template <class Index>
const void* element(const void* elements, Index index, const Type& type) {
  return static_cast<const std::byte*>(elements) + static_cast<std::ptrdiff_t>(index) * type.extent;
}

/// Elements in memory, as bytes in a row. Inside `take`. Throws Error.
class Packing {
 public:
  Packing(Member& member, const Mpi& mpi, MPI_Comm comm)
      : member_(member), mpi_(mpi), comm_(comm) {}

  /// Where the bytes of the elements are, after packing where they do not lie in a row.
  const void* packed(const void* elements, std::size_t count, const Type& type) {
    if (type.is_dense || count == 0) return elements;
    std::byte* room = member_.room(0, count * type.size);
    pack(elements, count, type, room);
    return room;
  }
  /// The same, apart from `all`, which has the `length` bytes of all blocks and gaps between them:
  /// what is sent may lie in such a gap.
  const void* packed_apart(const void* elements, std::size_t count, const Type& type,
                           const std::byte* all, std::size_t length);
  void pack(const void* elements, std::size_t count, const Type& type, std::byte* bytes);
  void unpack(const std::byte* bytes, std::size_t count, const Type& type, void* elements);
  /// Where bytes may arrive that become elements later on.
  void* arrival(void* elements, std::size_t count, const Type& type) {
    return type.is_dense || count == 0 ? elements : member_.room(1, count * type.size);
  }
  void unpack_arrival(const void* arrival, void* elements, std::size_t count, const Type& type) {
    if (arrival != elements) unpack(static_cast<const std::byte*>(arrival), count, type, elements);
  }

 private:
  Member& member_;
  const Mpi& mpi_;
  MPI_Comm comm_;
};

/// Blocks of `bytes`, in the largest elements that all ranks know to fit.
inline ErasedCall even_call(Collective collective, const void* send, void* receive,
                            std::size_t bytes, int root) {
  constexpr std::array units = {DType::u64, DType::u32, DType::u16, DType::u8};
  std::size_t unit = 0;
  while (bytes % size_of(units[unit]) != 0) ++unit;
  return {.collective = collective,
          .send = send,
          .receive = receive,
          .count = bytes / size_of(units[unit]),
          .dtype = units[unit],
          .root = root};
}

inline bool meet(const void* a, std::size_t a_bytes, const void* b, std::size_t b_bytes) {
  const auto a_begin = reinterpret_cast<std::uintptr_t>(a);
  const auto b_begin = reinterpret_cast<std::uintptr_t>(b);
  return a_begin < b_begin + b_bytes && b_begin < a_begin + a_bytes;
}

/// Blocks of different lengths in bytes, each where its elements lie; or one after the other in a
/// room of their own, where they have to be packed. Inside `take`.
class ByteBlocks {
 public:
  /// `side`: 0 or 1, of the call.
  ByteBlocks(Member& member, std::size_t side, const int* counts, const int* places,
             const Type& type);

  bool is_direct() const { return is_direct_; }
  /// Bytes from the beginning of `elements` to the end of the last block, where they are direct.
  std::size_t length() const { return length_; }
  /// From now on in a room of their own.
  void move_apart();
  Blocks blocks() const { return {{counts_, ranks_}, {places_, ranks_}}; }
  std::size_t count(std::size_t rank) const { return counts_[rank]; }

  /// Where the blocks are that lie in `elements`, after packing where they need it.
  std::byte* packed(Packing& packing, const void* elements);
  /// Where they may arrive; then unpack_arrival() puts them into `elements`.
  std::byte* arrival(void* elements);
  void unpack_arrival(Packing& packing, void* elements);
  /// The block of a rank in what packed() or arrival() gave.
  std::byte* block(std::byte* data, std::size_t rank) const { return data + places_[rank]; }

 private:
  Member& member_;
  const std::size_t side_;
  const int* element_counts_;
  const int* element_places_;
  const Type& type_;
  const std::size_t ranks_;
  std::size_t* counts_;
  std::size_t* places_;
  std::size_t total_ = 0;
  std::size_t length_ = 0;
  bool is_direct_ = true;
};

}  // namespace rondo::bind
