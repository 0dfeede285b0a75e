#pragma once

// Datatypes and operations of the MPI that this file is compiled for, in rondo's words.
//
// Handles are numbers in one family of MPIs and addresses in the other, so what includes this is
// compiled once for each: with mpi.h of MPICH for all that share its binary interface (Intel MPI,
// MVAPICH, …), with that of Open MPI for all of its versions. Resolving handles at run time instead
// would mean to write down by hand what the two headers say.

#include <mpi.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

#include "bind/drop_in/kinds.hpp"
#include "rondo/types.hpp"

namespace rondo::bind {

/// What an element is to an operation.
enum class Meaning : std::uint8_t {
  data,              ///< nothing that rondo reduces
  signed_integer,    ///< of C
  unsigned_integer,  ///< of C
  number,            ///< an integer that is not C's: no truth value
  bits,              ///< nothing but bits
  truth,
  fortran_truth,
  floating,
  complex,
};

struct Type {
  MPI_Datatype handle = {};
  Meaning meaning = Meaning::data;
  std::size_t size = 0;       ///< bytes of data in an element
  std::ptrdiff_t extent = 0;  ///< from one element to the next
  bool is_dense = false;      ///< elements in a row are their data, byte for byte
  bool is_predefined = false;
};

/// A reduction as rondo does it: each MPI element as `width` of `dtype`.
struct Reduced {
  DType dtype = DType::u8;
  Op op = Op::sum;
  std::size_t width = 1;
};

/// What this file needs of the MPI below. The forms of the drop-in find it in their own ways.
struct Mpi {
  int (*type_size)(MPI_Datatype, MPI_Count*) = nullptr;
  int (*type_extent)(MPI_Datatype, MPI_Aint*, MPI_Aint*) = nullptr;
  int (*pack)(const void*, int, MPI_Datatype, void*, int, int*, MPI_Comm) = nullptr;
  int (*unpack)(const void*, int, int*, void*, int, MPI_Datatype, MPI_Comm) = nullptr;
  int (*reduce_local)(const void*, void*, int, MPI_Datatype, MPI_Op) = nullptr;
  decltype(&PMPI_Type_create_hindexed) type_create_hindexed = nullptr;
  int (*type_commit)(MPI_Datatype*) = nullptr;
  int (*type_free)(MPI_Datatype*) = nullptr;
  /// Whether elements of a derived type in a row are their data, byte for byte.
  bool (*is_dense)(MPI_Datatype) = nullptr;
  /// The address of a handle that is one; not used where handles are numbers.
  void* (*symbol)(const char*) = nullptr;
};

class Handles {
 public:
  explicit Handles(const Mpi& mpi);

  const Mpi& mpi() const { return mpi_; }

  /// Types that are not predefined are looked at anew each time: their handles may be used again.
  Type type(MPI_Datatype handle) const {
    for (std::size_t i = place_of(handle);; i = (i + 1) % table_size) {
      if (types_[i].handle == handle) return types_[i];
      if (types_[i].handle == MPI_Datatype{}) break;
    }
    return derived(handle);
  }

  /// The reduction, or why rondo cannot do it.
  struct Answer {
    std::optional<Reduced> reduced = {};
    Reason reason = Reason::type;
  };
  Answer reduced(const Type& type, MPI_Op op) const;

 private:
  static constexpr std::size_t table_size = 256;
  static std::size_t place_of(MPI_Datatype handle);

  void add(MPI_Datatype handle, Meaning meaning);
  void insert(const Type& type);
  Type derived(MPI_Datatype handle) const;
  /// Compilers do not agree on what .true. is, nor MPIs on what they make of it. Whether this one
  /// takes all but 0 for true and gives 1 for it, as rondo does.
  bool has_truth_of_c(const Type& type) const;

  const Mpi mpi_;
  std::array<Type, table_size> types_;
  const std::array<std::pair<MPI_Op, Op>, 10> ops_;
  const std::array<MPI_Op, 3> other_ops_;
};

}  // namespace rondo::bind
