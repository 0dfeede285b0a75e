#pragma once

/* What the component's two halves tell each other: component.c, which knows Open MPI's internals,
 * and component_calls.cpp, which knows rondo. */

#include <mpi.h>
#include <stddef.h>

#include "bind/drop_in/collectives.h"
#include "bind/drop_in/left.h"

#ifdef __cplusplus
extern "C" {
#endif

struct mca_coll_base_module_2_3_0_t;
struct rondo_member;

/* The functions that the communicator had before, each with the module that it belongs to. */
struct rondo_previous {
#define RONDO_PREVIOUS(name, Name, parameters, arguments, glance)                       \
  int (*name)(RONDO_MPI_LIST parameters, struct mca_coll_base_module_2_3_0_t * module); \
  struct mca_coll_base_module_2_3_0_t* name##_module;
  RONDO_MPI_COLLECTIVES(RONDO_PREVIOUS)
#undef RONDO_PREVIOUS
};

/* What ends in a request: only counted, and kept only where somebody counts. */
struct rondo_uncarried {
#define RONDO_UNCARRIED(name, Name, parameters, arguments, glance)                    \
  int (*i##name)(RONDO_MPI_LIST parameters, MPI_Request * request,                    \
                 struct mca_coll_base_module_2_3_0_t * module);                       \
  struct mca_coll_base_module_2_3_0_t* i##name##_module;                              \
  int (*name##_init)(RONDO_MPI_LIST parameters, MPI_Info info, MPI_Request * request, \
                     struct mca_coll_base_module_2_3_0_t * module);                   \
  struct mca_coll_base_module_2_3_0_t* name##_init_module;
  RONDO_MPI_COLLECTIVES(RONDO_UNCARRIED)
#undef RONDO_UNCARRIED
};

/* From component.c. */
void rondo_component_progress(void);
int rondo_component_is_dense(MPI_Datatype type);
/* From now on Open MPI calls the previous function itself. */
void rondo_component_put_back(const struct rondo_previous* previous, MPI_Comm comm,
                              enum rondo_kind kind);

/* 0 where there is no memory. */
int rondo_component_open(void);
/* Whether the user wants it; of the world's ranks this is number `rank`. */
int rondo_component_is_on(int rank, int ranks);
/* Statistics of all ranks, by all ranks at once. */
void rondo_component_gather(void);
void rondo_component_close(void);
/* NULL where there is no memory. `previous` and `left` stay where they are until the member is
 * freed. */
struct rondo_member* rondo_member_make(const struct rondo_previous* previous,
                                       struct rondo_left_table* left, MPI_Comm comm);
void rondo_member_free(struct rondo_member* member);
/* Whether there are statistics. */
int rondo_component_counts(void);
void rondo_member_count_nonblocking(struct rondo_member* member, enum rondo_kind kind);
void rondo_member_count_persistent(struct rondo_member* member, enum rondo_kind kind);

#define RONDO_CALL(name, Name, parameters, arguments, glance) \
  int rondo_coll_##name(struct rondo_member* member, RONDO_MPI_LIST parameters);
RONDO_MPI_COLLECTIVES(RONDO_CALL)
#undef RONDO_CALL

#ifdef __cplusplus
}
#endif
