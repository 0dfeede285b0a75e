#pragma once

/* Every predefined type and operation, with elements of each and what is to be told of them. */

#include "report.h"

enum kind {
  INTEGER, /* of C */
  FORTRAN_INTEGER,
  FLOATING,
  LONG_FLOATING,
  COMPLEX,
  LONG_COMPLEX,
  LOGICAL,
  BYTES,
  PAIR,       /* a value and an int */
  ALIKE_PAIR, /* two of the same type */
  DATA        /* has no operations, or not those of its name everywhere */
};

struct type {
  const char* name;
  MPI_Datatype type;
  enum kind kind;
};

struct op {
  const char* name;
  MPI_Op op;
};

#define T(name, kind) \
  { #name, MPI_##name, kind }
static const struct type types[] = {T(SIGNED_CHAR, INTEGER),
                                    T(UNSIGNED_CHAR, INTEGER),
                                    T(SHORT, INTEGER),
                                    T(UNSIGNED_SHORT, INTEGER),
                                    T(INT, INTEGER),
                                    T(UNSIGNED, INTEGER),
                                    T(LONG, INTEGER),
                                    T(UNSIGNED_LONG, INTEGER),
                                    T(LONG_LONG, INTEGER),
                                    T(UNSIGNED_LONG_LONG, INTEGER),
                                    T(INT8_T, INTEGER),
                                    T(UINT8_T, INTEGER),
                                    T(INT16_T, INTEGER),
                                    T(UINT16_T, INTEGER),
                                    T(INT32_T, INTEGER),
                                    T(UINT32_T, INTEGER),
                                    T(INT64_T, INTEGER),
                                    T(UINT64_T, INTEGER),
                                    T(AINT, FORTRAN_INTEGER),
                                    T(OFFSET, FORTRAN_INTEGER),
                                    T(COUNT, FORTRAN_INTEGER),
                                    T(INTEGER, FORTRAN_INTEGER),
                                    T(INTEGER1, FORTRAN_INTEGER),
                                    T(INTEGER2, FORTRAN_INTEGER),
                                    T(INTEGER4, FORTRAN_INTEGER),
                                    T(INTEGER8, FORTRAN_INTEGER),
                                    T(FLOAT, FLOATING),
                                    T(DOUBLE, FLOATING),
                                    T(REAL, FLOATING),
                                    T(DOUBLE_PRECISION, FLOATING),
                                    T(REAL4, FLOATING),
                                    T(REAL8, FLOATING),
                                    T(LONG_DOUBLE, LONG_FLOATING),
                                    T(C_FLOAT_COMPLEX, COMPLEX),
                                    T(C_DOUBLE_COMPLEX, COMPLEX),
                                    T(CXX_FLOAT_COMPLEX, COMPLEX),
                                    T(CXX_DOUBLE_COMPLEX, COMPLEX),
                                    T(COMPLEX, COMPLEX),
                                    T(COMPLEX8, COMPLEX),
                                    T(COMPLEX16, COMPLEX),
                                    T(DOUBLE_COMPLEX, COMPLEX),
                                    T(C_LONG_DOUBLE_COMPLEX, LONG_COMPLEX),
                                    T(CXX_LONG_DOUBLE_COMPLEX, LONG_COMPLEX),
                                    T(C_BOOL, LOGICAL),
                                    T(CXX_BOOL, LOGICAL),
                                    T(LOGICAL, LOGICAL),
                                    T(BYTE, BYTES),
                                    T(FLOAT_INT, PAIR),
                                    T(DOUBLE_INT, PAIR),
                                    T(LONG_INT, PAIR),
                                    T(2INT, PAIR),
                                    T(SHORT_INT, PAIR),
                                    T(LONG_DOUBLE_INT, PAIR),
                                    T(2REAL, ALIKE_PAIR),
                                    T(2DOUBLE_PRECISION, ALIKE_PAIR),
                                    T(2INTEGER, PAIR),
                                    T(CHAR, DATA),
                                    T(WCHAR, DATA),
                                    T(PACKED, DATA),
                                    T(CHARACTER, DATA),
                                    T(REAL16, DATA),
                                    T(COMPLEX32, DATA)};
#undef T
enum { type_count = sizeof types / sizeof *types };

static const struct op ops[] = {{"sum", MPI_SUM},   {"prod", MPI_PROD},     {"min", MPI_MIN},
                                {"max", MPI_MAX},   {"land", MPI_LAND},     {"lor", MPI_LOR},
                                {"lxor", MPI_LXOR}, {"band", MPI_BAND},     {"bor", MPI_BOR},
                                {"bxor", MPI_BXOR}, {"minloc", MPI_MINLOC}, {"maxloc", MPI_MAXLOC}};
enum { op_count = sizeof ops / sizeof *ops };

/* Whether MPI has operation number `o` for the type. */
static inline int fits(const struct type* type, size_t o) {
  const int is_logical = o >= 4 && o < 7;
  switch (type->kind) {
    case PAIR:
    case ALIKE_PAIR:
      return o >= 10;
    case BYTES:
      return o >= 7 && o < 10;
    case LOGICAL:
      return is_logical;
    case INTEGER:
      return o < 10;
    case FORTRAN_INTEGER:
      return o < 10 && !is_logical;
    case COMPLEX:
    case LONG_COMPLEX:
      return o < 2;
    case DATA:
      return 0;
    default:
      return o < 4;
  }
}

/* Products need small factors. MPIs take some unsigned types for signed ones in minima and maxima,
 * or the other way round, and sums of short ones do not wrap in all: extremes.c has those. */
enum range { ANY, FACTORS, NATURAL };

static inline enum range range_of(MPI_Op op) {
  return op == MPI_PROD ? FACTORS : op == MPI_MIN || op == MPI_MAX ? NATURAL : ANY;
}

static inline size_t extent_of(const struct type* type) {
  MPI_Aint begin, extent;
  MPI_Type_get_extent(type->type, &begin, &extent);
  return (size_t)extent;
}

static inline size_t size_of(const struct type* type) {
  int bytes;
  MPI_Type_size(type->type, &bytes);
  return (size_t)bytes;
}

/* Small numbers, which every type can hold and every order of adding gives the same sum of. */
static inline int value(int of_rank, int index) {
  return (of_rank * 3 + index * 7 + 1) % 5 - (index % 3 == 0 ? 1 : 0);
}

static inline void put_integer(unsigned char* at, size_t bytes, long long number) {
  for (size_t i = 0; i < bytes; ++i) {
    at[i] = (unsigned char)((unsigned long long)number >> (8 * (i < 8 ? i : 7)));
  }
}

/* So many parts of 4, 8 or, of long doubles, 10 bytes. */
static inline void put_floats(unsigned char* at, size_t each, size_t parts, int number) {
  for (size_t part = 0; part < parts; ++part) {
    const float narrow = (float)(number + (int)part);
    const double wide = number + (int)part;
    const long double widest = number + (int)part;
    if (each == 4) memcpy(at + 4 * part, &narrow, 4);
    if (each == 8) memcpy(at + 8 * part, &wide, 8);
    if (each == 16) memcpy(at + 16 * part, &widest, 10);
  }
}

/* Where the int of a pair is. */
static inline size_t second_of(const struct type* type) {
  return type->type == MPI_SHORT_INT ? 4 : size_of(type) - 4;
}

static inline void put_pair(const struct type* type, unsigned char* at, int number, int place) {
  const int is_long = type->type == MPI_LONG_DOUBLE_INT;
  if (type->type == MPI_FLOAT_INT || type->type == MPI_DOUBLE_INT || is_long) {
    put_floats(at, size_of(type) - 4, 1, number);
  } else {
    put_integer(at, size_of(type) - 4, number);
  }
  memcpy(at + second_of(type), &place, 4);
}

static inline void put(const struct type* type, unsigned char* at, int of_rank, int index,
                       enum range range) {
  const size_t bytes = size_of(type);
  int number = value(of_rank, index);
  if (range == FACTORS) number = (of_rank + index) % 4 == 0 ? 2 : 1;
  if (number < 0 && (range == NATURAL || bytes < 4)) number = 3;
  /* Those of 32 and 64 bits wrap. */
  const int wraps = bytes >= 4 && range == ANY && index % 2 == 1;
  switch (type->kind) {
    case INTEGER:
    case FORTRAN_INTEGER:
      put_integer(at, bytes, wraps ? number * 0x3fffffffLL : number);
      break;
    case BYTES:
    case DATA:
      put_integer(at, bytes, number);
      break;
    case LOGICAL:
      put_integer(at, bytes, number & 1);
      break;
    case FLOATING:
    case LONG_FLOATING:
      put_floats(at, bytes, 1, number);
      break;
    case COMPLEX:
    case LONG_COMPLEX:
      put_floats(at, bytes / 2, 2, number);
      break;
    case PAIR:
      put_pair(type, at, number, of_rank);
      break;
    case ALIKE_PAIR:
      put_floats(at, bytes / 2, 1, number);
      put_floats(at + bytes / 2, bytes / 2, 1, of_rank);
      break;
  }
}

/* Elements 0 to count of a rank. Those of the last call are kept: it asks for the same often. */
static inline void fill(const struct type* type, unsigned char* data, int count, int of_rank,
                        enum range range) {
  static unsigned char* kept;
  static const struct type* kept_type;
  static enum range kept_range;
  static int kept_count, kept_rank;
  const size_t extent = extent_of(type);
  if (kept_type != type || kept_range != range || kept_rank != of_rank || kept_count < count) {
    kept = (unsigned char*)realloc(kept, extent * (size_t)count + 1);
    if (kept == NULL) abort();
    memset(kept, 0, extent * (size_t)count);
    for (int i = 0; i < count; ++i) put(type, kept + extent * (size_t)i, of_rank, i, range);
    kept_type = type;
    kept_range = range;
    kept_rank = of_rank;
    kept_count = count;
  }
  memcpy(data, kept, extent * (size_t)count);
}

/* Bytes that mean nothing become 0: those behind a long double, and gaps in pairs. */
static inline void clear_gaps(const struct type* type, unsigned char* data, int count) {
  const size_t extent = extent_of(type);
  const int is_long = type->kind == LONG_FLOATING || type->kind == LONG_COMPLEX;
  for (size_t at = 0; is_long && at < extent * (size_t)count; at += 16)
    memset(data + at + 10, 0, 6);
  if (type->kind != PAIR) return;
  const size_t second = second_of(type);
  const size_t first = type->type == MPI_LONG_DOUBLE_INT ? 10 : size_of(type) - 4;
  for (int i = 0; i < count; ++i) {
    unsigned char* at = data + extent * (size_t)i;
    memset(at + first, 0, second - first);
    memset(at + second + 4, 0, extent - second - 4);
  }
}

static inline void show(const char* what, const struct type* type, unsigned char* data, int count) {
  clear_gaps(type, data, count);
  report_bytes(what, data, extent_of(type) * (size_t)count);
}
