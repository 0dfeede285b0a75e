#include "bind/drop_in/handles.hpp"

#include <algorithm>
#include <bit>
#include <functional>

namespace rondo::bind {

namespace {

// Every predefined type: its name in mpi.h, the symbol at whose address Open MPI keeps it, and what
// an element is. Sizes are asked for: those of Fortran's types depend on compilers.
#define RONDO_MPI_TYPES(X)                                    \
  X(BYTE, byte, data)                                         \
  X(PACKED, packed, data)                                     \
  X(CHAR, char, data)                                         \
  X(WCHAR, wchar, data)                                       \
  X(SIGNED_CHAR, signed_char, signed_integer)                 \
  X(UNSIGNED_CHAR, unsigned_char, unsigned_integer)           \
  X(SHORT, short, signed_integer)                             \
  X(UNSIGNED_SHORT, unsigned_short, unsigned_integer)         \
  X(INT, int, signed_integer)                                 \
  X(UNSIGNED, unsigned, unsigned_integer)                     \
  X(LONG, long, signed_integer)                               \
  X(UNSIGNED_LONG, unsigned_long, unsigned_integer)           \
  X(LONG_LONG_INT, long_long_int, signed_integer)             \
  X(UNSIGNED_LONG_LONG, unsigned_long_long, unsigned_integer) \
  X(INT8_T, int8_t, signed_integer)                           \
  X(UINT8_T, uint8_t, unsigned_integer)                       \
  X(INT16_T, int16_t, signed_integer)                         \
  X(UINT16_T, uint16_t, unsigned_integer)                     \
  X(INT32_T, int32_t, signed_integer)                         \
  X(UINT32_T, uint32_t, unsigned_integer)                     \
  X(INT64_T, int64_t, signed_integer)                         \
  X(UINT64_T, uint64_t, unsigned_integer)                     \
  X(AINT, aint, signed_integer)                               \
  X(OFFSET, offset, signed_integer)                           \
  X(COUNT, count, signed_integer)                             \
  X(FLOAT, float, floating)                                   \
  X(DOUBLE, double, floating)                                 \
  X(LONG_DOUBLE, long_double, data)                           \
  X(C_BOOL, c_bool, data)                                     \
  X(C_FLOAT_COMPLEX, c_float_complex, complex)                \
  X(C_DOUBLE_COMPLEX, c_double_complex, complex)              \
  X(C_LONG_DOUBLE_COMPLEX, c_long_double_complex, data)       \
  X(CXX_BOOL, cxx_bool, data)                                 \
  X(CXX_FLOAT_COMPLEX, cxx_cplex, complex)                    \
  X(CXX_DOUBLE_COMPLEX, cxx_dblcplex, complex)                \
  X(CXX_LONG_DOUBLE_COMPLEX, cxx_ldblcplex, data)             \
  X(FLOAT_INT, float_int, data)                               \
  X(DOUBLE_INT, double_int, data)                             \
  X(LONG_DOUBLE_INT, longdbl_int, data)                       \
  X(LONG_INT, long_int, data)                                 \
  X(SHORT_INT, short_int, data)                               \
  X(2INT, 2int, data)                                         \
  X(CHARACTER, character, data)                               \
  X(LOGICAL, logical, data)                                   \
  X(INTEGER, integer, signed_integer)                         \
  X(INTEGER1, integer1, signed_integer)                       \
  X(INTEGER2, integer2, signed_integer)                       \
  X(INTEGER4, integer4, signed_integer)                       \
  X(INTEGER8, integer8, signed_integer)                       \
  X(REAL, real, floating)                                     \
  X(REAL4, real4, floating)                                   \
  X(REAL8, real8, floating)                                   \
  X(DOUBLE_PRECISION, dblprec, floating)                      \
  X(COMPLEX, cplex, complex)                                  \
  X(COMPLEX8, complex8, complex)                              \
  X(COMPLEX16, complex16, complex)                            \
  X(DOUBLE_COMPLEX, dblcplex, complex)                        \
  X(2REAL, 2real, data)                                       \
  X(2DOUBLE_PRECISION, 2dblprec, data)                        \
  X(2INTEGER, 2integer, data)

#if defined(RONDO_MPI_BY_SYMBOL)
#define RONDO_TYPE(name, suffix) static_cast<MPI_Datatype>(mpi.symbol("ompi_mpi_" #suffix))
#define RONDO_OP(name, suffix) static_cast<MPI_Op>(mpi.symbol("ompi_mpi_op_" #suffix))
#else
#define RONDO_TYPE(name, suffix) MPI_##name
#define RONDO_OP(name, suffix) MPI_##name
#endif

std::optional<DType> integer_of(std::size_t size, bool is_signed) {
  switch (size) {
    case 1:
      return is_signed ? DType::i8 : DType::u8;
    case 2:
      return is_signed ? DType::i16 : DType::u16;
    case 4:
      return is_signed ? DType::i32 : DType::u32;
    case 8:
      return is_signed ? DType::i64 : DType::u64;
    default:
      return std::nullopt;
  }
}

std::optional<DType> float_of(std::size_t size) {
  if (size == sizeof(float)) return DType::f32;
  if (size == sizeof(double)) return DType::f64;
  return std::nullopt;
}

std::optional<Reduced> without_op(const Type& type) {
  std::optional<DType> dtype;
  const bool is_complex = type.meaning == Meaning::complex;
  switch (type.meaning) {
    case Meaning::signed_integer:
    case Meaning::unsigned_integer:
      dtype = integer_of(type.size, type.meaning == Meaning::signed_integer);
      break;
    case Meaning::floating:
      dtype = float_of(type.size);
      break;
    case Meaning::complex:
      dtype = float_of(type.size / 2);
      break;
    case Meaning::data:
      break;
  }
  if (!dtype) return std::nullopt;
  return Reduced{*dtype, Op::sum, is_complex ? std::size_t{2} : std::size_t{1}};
}

}  // namespace

Handles::Handles(const Mpi& mpi)
    : mpi_(mpi),
      ops_{RONDO_OP(SUM, sum), RONDO_OP(PROD, prod), RONDO_OP(MIN, min), RONDO_OP(MAX, max)},
      other_ops_{RONDO_OP(LAND, land),     RONDO_OP(LOR, lor),       RONDO_OP(LXOR, lxor),
                 RONDO_OP(BAND, band),     RONDO_OP(BOR, bor),       RONDO_OP(BXOR, bxor),
                 RONDO_OP(MINLOC, minloc), RONDO_OP(MAXLOC, maxloc), RONDO_OP(REPLACE, replace)} {
#define RONDO_ADD(name, suffix, meaning) add(RONDO_TYPE(name, suffix), Meaning::meaning);
  RONDO_MPI_TYPES(RONDO_ADD)
#undef RONDO_ADD
  // Of no bytes, so that it goes below, where it is refused.
  insert({.handle = RONDO_TYPE(DATATYPE_NULL, datatype_null), .is_predefined = true});
}

std::size_t Handles::place_of(MPI_Datatype handle) {
  constexpr std::uint64_t odd = 0x9e3779b97f4a7c15u;  // 2^64 divided by the golden ratio
  const std::uint64_t number = std::hash<MPI_Datatype>{}(handle);
  return static_cast<std::size_t>((number * odd) >> (64 - std::countr_zero(table_size)));
}

void Handles::add(MPI_Datatype handle, Meaning meaning) {
  if (handle == MPI_Datatype{}) return;  // this MPI has no such type
  Type type{.handle = handle, .meaning = meaning, .is_predefined = true};
  MPI_Count size = 0;
  MPI_Aint begin = 0;
  if (mpi_.type_size(handle, &size) != MPI_SUCCESS || size <= 0 ||
      mpi_.type_extent(handle, &begin, &type.extent) != MPI_SUCCESS) {
    return;
  }
  type.size = static_cast<std::size_t>(size);
  type.is_dense = begin == 0 && type.extent == static_cast<std::ptrdiff_t>(size);
  insert(type);
}

void Handles::insert(const Type& type) {
  std::size_t place = place_of(type.handle);
  while (types_[place].handle != MPI_Datatype{} && types_[place].handle != type.handle) {
    place = (place + 1) % table_size;
  }
  types_[place] = type;
}

Type Handles::derived(MPI_Datatype handle) const {
  Type type{.handle = handle};
  MPI_Count size = 0;
  MPI_Aint begin = 0;
  if (mpi_.type_size(handle, &size) != MPI_SUCCESS || size <= 0 ||
      mpi_.type_extent(handle, &begin, &type.extent) != MPI_SUCCESS) {
    return type;
  }
  type.size = static_cast<std::size_t>(size);
  type.is_dense =
      begin == 0 && type.extent == static_cast<std::ptrdiff_t>(size) && mpi_.is_dense(handle);
  return type;
}

Handles::Answer Handles::reduced(const Type& type, MPI_Op op) const {
  const auto found = std::find(ops_.begin(), ops_.end(), op);
  if (found == ops_.end()) {
    const bool is_known = std::find(other_ops_.begin(), other_ops_.end(), op) != other_ops_.end();
    return {std::nullopt, is_known ? Reason::other_op : Reason::user_op};
  }
  std::optional<Reduced> reduced = without_op(type);
  if (!reduced) return {std::nullopt, Reason::type};
  reduced->op = static_cast<Op>(found - ops_.begin());
  // Complex numbers are added part by part, but not multiplied; and they have no order.
  if (reduced->width > 1 && reduced->op != Op::sum) return {std::nullopt, Reason::type};
  return {reduced, Reason::type};
}

}  // namespace rondo::bind
