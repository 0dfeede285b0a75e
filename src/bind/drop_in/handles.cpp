#include "bind/drop_in/handles.hpp"

#include <algorithm>
#include <bit>
#include <functional>

namespace rondo::bind {

namespace {

// Every predefined type: its name in mpi.h, the symbol at whose address Open MPI keeps it, and what
// an element is. Sizes are asked for: those of Fortran's types depend on compilers.
#define RONDO_MPI_TYPES(X)                                    \
  X(BYTE, byte, bits)                                         \
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
  X(AINT, aint, number)                                       \
  X(OFFSET, offset, number)                                   \
  X(COUNT, count, number)                                     \
  X(FLOAT, float, floating)                                   \
  X(DOUBLE, double, floating)                                 \
  X(LONG_DOUBLE, long_double, data)                           \
  X(C_BOOL, c_bool, truth)                                    \
  X(C_FLOAT_COMPLEX, c_float_complex, complex)                \
  X(C_DOUBLE_COMPLEX, c_double_complex, complex)              \
  X(C_LONG_DOUBLE_COMPLEX, c_long_double_complex, data)       \
  X(CXX_BOOL, cxx_bool, truth)                                \
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
  X(LOGICAL, logical, fortran_truth)                          \
  X(INTEGER, integer, number)                                 \
  X(INTEGER1, integer1, number)                               \
  X(INTEGER2, integer2, number)                               \
  X(INTEGER4, integer4, number)                               \
  X(INTEGER8, integer8, number)                               \
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

std::optional<DType> as_dtype(const Type& type) {
  switch (type.meaning) {
    case Meaning::signed_integer:
    case Meaning::number:
      return integer_of(type.size, true);
    case Meaning::unsigned_integer:
    case Meaning::bits:
    case Meaning::truth:
    case Meaning::fortran_truth:
      return integer_of(type.size, false);
    case Meaning::floating:
      return float_of(type.size);
    case Meaning::complex:
      return float_of(type.size / 2);
    case Meaning::data:
      break;
  }
  return std::nullopt;
}

// Whether MPI has the operation for such types. What it does not have is refused below.
bool has(Meaning meaning, Op op) {
  const bool is_logical = op == Op::land || op == Op::lor || op == Op::lxor;
  const bool is_bitwise = op == Op::band || op == Op::bor || op == Op::bxor;
  switch (meaning) {
    case Meaning::signed_integer:
    case Meaning::unsigned_integer:
      return true;
    case Meaning::number:
      return !is_logical;
    case Meaning::bits:
      return is_bitwise;
    case Meaning::truth:
    case Meaning::fortran_truth:
      return is_logical;
    case Meaning::floating:
      return !is_logical && !is_bitwise;
    case Meaning::complex:
      // Added part by part, but not multiplied so; and they have no order.
      return op == Op::sum;
    case Meaning::data:
      break;
  }
  return false;
}

}  // namespace

Handles::Handles(const Mpi& mpi)
    : mpi_(mpi),
      ops_{{{RONDO_OP(SUM, sum), Op::sum},
            {RONDO_OP(PROD, prod), Op::prod},
            {RONDO_OP(MIN, min), Op::min},
            {RONDO_OP(MAX, max), Op::max},
            {RONDO_OP(BAND, band), Op::band},
            {RONDO_OP(BOR, bor), Op::bor},
            {RONDO_OP(BXOR, bxor), Op::bxor},
            {RONDO_OP(LAND, land), Op::land},
            {RONDO_OP(LOR, lor), Op::lor},
            {RONDO_OP(LXOR, lxor), Op::lxor}}},
      other_ops_{RONDO_OP(MINLOC, minloc), RONDO_OP(MAXLOC, maxloc), RONDO_OP(REPLACE, replace)} {
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
  if (meaning == Meaning::fortran_truth && !has_truth_of_c(type)) type.meaning = Meaning::data;
  insert(type);
}

bool Handles::has_truth_of_c(const Type& type) const {
  if (type.size != sizeof(std::int32_t)) return false;
  for (const auto& [handle, op] : ops_) {
    if (!has(Meaning::fortran_truth, op)) continue;
    for (const std::int32_t left : {0, 1, 2, -1}) {
      for (const std::int32_t right : {0, 1, 2, -1}) {
        const bool one = left != 0;
        const bool other = right != 0;
        const bool both = op == Op::land  ? one && other
                          : op == Op::lor ? one || other
                                          : one != other;
        std::int32_t result = right;
        if (mpi_.reduce_local(&left, &result, 1, type.handle, handle) != MPI_SUCCESS ||
            result != (both ? 1 : 0)) {
          return false;
        }
      }
    }
  }
  return true;
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
  const auto found =
      std::find_if(ops_.begin(), ops_.end(), [&](const auto& known) { return known.first == op; });
  if (found == ops_.end()) {
    const bool is_known = std::find(other_ops_.begin(), other_ops_.end(), op) != other_ops_.end();
    return {std::nullopt, is_known ? Reason::other_op : Reason::user_op};
  }
  const std::optional<DType> dtype = as_dtype(type);
  if (!dtype || !has(type.meaning, found->second)) return {std::nullopt, Reason::type};
  const std::size_t width = type.meaning == Meaning::complex ? 2 : 1;
  return {Reduced{*dtype, found->second, width}, Reason::type};
}

}  // namespace rondo::bind
