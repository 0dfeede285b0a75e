#pragma once

/* Calls that go below for good, told at a glance: what rondo was measured to be slower at should
 * take no longer than without rondo.
 *
 * Each collective has room for some pairs of a type and an operation. Calls with predefined types
 * only: the handle of another one may come to mean another type. In C, for Open MPI's component. */

#include <mpi.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "bind/drop_in/collectives.h"

/* In the order of rondo::bind::Kind. */
enum rondo_kind {
#define RONDO_KIND(name, Name, parameters, arguments, glance) rondo_kind_##name,
  RONDO_MPI_COLLECTIVES(RONDO_KIND)
#undef RONDO_KIND
      rondo_kind_count
};

enum { rondo_left_ways_log2 = 2, rondo_left_ways = 1 << rondo_left_ways_log2 };

struct rondo_left {
  MPI_Datatype type;
  MPI_Op op;
  size_t width;     /* bytes for each element that the glance counts */
  uint64_t classes; /* bit c: calls of that size class go below; none in a place that is free */
};

/* Of one communicator. All zero at first. */
struct rondo_left_table {
  int rank;
  int ranks;
  struct rondo_left ways[rondo_kind_count][rondo_left_ways];
};

/* What a glance is at, where a collective has no operation, or nothing that all ranks know. */
#ifdef __cplusplus
#define RONDO_NO(handle) handle()
#else
#define RONDO_NO(handle) ((handle)0)
#endif
#define RONDO_DATA(type, count) type, RONDO_NO(MPI_Op), (size_t)(count)
#define RONDO_NOTHING RONDO_NO(MPI_Datatype), RONDO_NO(MPI_Op), 0

static inline size_t rondo_sum(const struct rondo_left_table* left, const int* counts) {
  size_t sum = 0;
  for (int i = 0; i < left->ranks; ++i) sum += (size_t)counts[i];
  return sum;
}

static inline size_t rondo_left_way(MPI_Datatype type, MPI_Op op) {
  uint64_t type_bits = 0;
  uint64_t op_bits = 0;
  memcpy(&type_bits, &type, sizeof type);
  memcpy(&op_bits, &op, sizeof op);
  /* 2^64 divided by the golden ratio */
  return (size_t)((type_bits ^ op_bits << 1) * 0x9e3779b97f4a7c15u >> (64 - rondo_left_ways_log2));
}

/* As rondo::bind::Slot has it: from a power of two to the next. */
static inline unsigned rondo_size_class(size_t bytes) {
  return bytes == 0 ? 0 : 64 - (unsigned)__builtin_clzll(bytes);
}

static inline int rondo_is_left(const struct rondo_left_table* table, enum rondo_kind kind,
                                MPI_Datatype type, MPI_Op op, size_t count) {
  const struct rondo_left* left = &table->ways[kind][rondo_left_way(type, op)];
  return left->type == type && left->op == op &&
         (left->classes >> (rondo_size_class(count * left->width) & 63) & 1) != 0;
}

static inline void rondo_leave(struct rondo_left_table* table, enum rondo_kind kind,
                               MPI_Datatype type, MPI_Op op, size_t width, uint64_t classes) {
  struct rondo_left* left = &table->ways[kind][rondo_left_way(type, op)];
  left->type = type;
  left->op = op;
  left->width = width;
  left->classes = classes;
}

/* In a function with the parameters of the collective, and its table in `left`. */
#define RONDO_IS_LEFT(name, glance) \
  __builtin_expect(rondo_is_left(left, rondo_kind_##name, RONDO_MPI_LIST glance), 1)
