#pragma once

// What the drop-in for MPI programs decides by: which collective, which class of types, how many
// bytes. All of it is the same on all ranks of a call.

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "rondo/types.hpp"

namespace rondo::bind {

/// The collectives of MPI that are looked at. All others go below unseen.
enum class Kind : std::uint8_t {
  allreduce,
  bcast,
  allgather,
  allgatherv,
  reduce,
  reduce_scatter,
  reduce_scatter_block,
  alltoall,
  alltoallv,
  gather,
  gatherv,
  scatter,
  scatterv,
  barrier,
  scan,
  exscan,
};
inline constexpr std::array<std::string_view, 16> kind_names = {"MPI_Allreduce",
                                                                "MPI_Bcast",
                                                                "MPI_Allgather",
                                                                "MPI_Allgatherv",
                                                                "MPI_Reduce",
                                                                "MPI_Reduce_scatter",
                                                                "MPI_Reduce_scatter_block",
                                                                "MPI_Alltoall",
                                                                "MPI_Alltoallv",
                                                                "MPI_Gather",
                                                                "MPI_Gatherv",
                                                                "MPI_Scatter",
                                                                "MPI_Scatterv",
                                                                "MPI_Barrier",
                                                                "MPI_Scan",
                                                                "MPI_Exscan"};
inline constexpr std::size_t kind_count = kind_names.size();
constexpr std::string_view name(Kind kind) {
  return kind_names[static_cast<std::size_t>(kind)];
}

/// Why a call went to the MPI below.
enum class Reason : std::uint8_t {
  early,        ///< too few calls on this communicator so far to make one of rondo's for it
  empty,        ///< no bytes
  user_op,      ///< an operation of the program's own
  other_op,     ///< a predefined operation that rondo does not have: MINLOC, MAXLOC
  type,         ///< a type that rondo cannot reduce: long double, derived, …
  tried,        ///< one of the calls that measure the MPI below
  slower,       ///< rondo was measured to be slower
  too_large,    ///< a rank's block is longer than MPI_Pack can count, should it have to be packed
  refused,      ///< rondo refused it before any byte moved
  unavailable,  ///< no communicator of rondo's could be made
  nonblocking,  ///< it ends in a request of the MPI below
  persistent,   ///< the same; counted when it is made, not when it is started
};
inline constexpr std::array<std::string_view, 12> reason_names = {
    "few calls so far",  "no bytes",        "user operation",        "operation not in rondo",
    "type not in rondo", "measuring",       "measured to be slower", "more than 2 GiB",
    "refused by rondo",  "no communicator", "nonblocking",           "persistent"};
inline constexpr std::size_t reason_count = reason_names.size();
constexpr std::string_view name(Reason reason) {
  return reason_names[static_cast<std::size_t>(reason)];
}

/// Types among which speed does not differ much.
enum class TypeClass : std::uint8_t { data, bits8, bits16, bits32, bits64, short_float, f32, f64 };
inline constexpr std::array<std::string_view, 8> type_class_names = {
    "data", "8 bit", "16 bit", "32 bit", "64 bit", "16 bit float", "f32", "f64"};
constexpr std::string_view name(TypeClass type) {
  return type_class_names[static_cast<std::size_t>(type)];
}
constexpr TypeClass class_of(DType dtype) {
  switch (dtype) {
    case DType::f16:
    case DType::bf16:
    case DType::f8e4m3:  // no type of MPI's
    case DType::f8e5m2:
      return TypeClass::short_float;
    case DType::f32:
      return TypeClass::f32;
    case DType::f64:
      return TypeClass::f64;
    default:
      break;
  }
  return static_cast<TypeClass>(std::countr_zero(size_of(dtype)) + 1);
}

/// Calls that one measurement speaks for: sizes from a power of two to the next.
class Slot {
 public:
  static constexpr std::size_t size_classes = 40;
  static constexpr std::size_t count = kind_count * type_class_names.size() * size_classes;

  constexpr Slot(Kind kind, TypeClass type, std::size_t bytes)
      : index_((static_cast<std::size_t>(kind) * type_class_names.size() +
                static_cast<std::size_t>(type)) *
                   size_classes +
               std::min<std::size_t>(static_cast<std::size_t>(std::bit_width(bytes)),
                                     size_classes - 1)) {}

  constexpr std::size_t index() const { return index_; }

 private:
  std::size_t index_;
};

}  // namespace rondo::bind
