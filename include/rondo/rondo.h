#pragma once

/* rondo in C99: the same communicators and collectives as in rondo/communicator.hpp.
 *
 * Rules for all functions:
 *   - Those that can fail return a rondo_status: RONDO_OK (0), or what went wrong. The text lies in
 *     rondo_last_error(comm). After an error in a collective the communicator is poisoned: every
 *     later call on it returns the same first cause.
 *   - No exception leaves the library, and no call ends the process. A null pointer where one is
 *     needed is RONDO_INVALID_ARGUMENT. Result pointers are written on success only, but for
 *     `done`, which says whether a work is over, well or not.
 *   - Counts are elements, not bytes. 0 is a valid, synchronising call; its buffers may be null.
 *   - All ranks make the same collective calls in the same order with the same counts, types,
 *     operations and roots; if they don't, they get RONDO_MISMATCH.
 *   - A blocking call uses its buffers until it returns, a nonblocking one until its work is done.
 *     The library keeps no buffer longer, also not after an error.
 *   - Send and receive buffer do not overlap, or the call is in place: both are the same address,
 *     or `send` is RONDO_IN_PLACE, see each collective.
 *   - One thread at a time per communicator and its works. rondo_comm_abort may come from any
 *     thread while the communicator is not being freed.
 */

#include <stddef.h>
#include <stdint.h>

#define RONDO_C_API __attribute__((visibility("default")))

#define RONDO_VERSION_MAJOR 0
#define RONDO_VERSION_MINOR 1
#define RONDO_VERSION_PATCH 0
#define RONDO_VERSION_TEXT "0.1.0"

#ifdef __cplusplus
extern "C" {
#endif

/* What a call returns. */
typedef int32_t rondo_status;
enum {
  RONDO_OK = 0,
  RONDO_INVALID_ARGUMENT = 1, /* a call no rank could carry out */
  RONDO_MISMATCH = 2,         /* two ranks called different things */
  RONDO_TIMEOUT = 3,          /* the deadline passed; the peer did not answer, or is -1 */
  RONDO_PEER_LOST = 4,        /* a rank died or its link broke */
  RONDO_PEER_LEFT = 5,        /* a rank freed its communicator while others waited for it */
  RONDO_ABORTED = 6,          /* somebody called rondo_comm_abort */
  RONDO_JOIN_FAILED = 7,      /* the world could not be formed */
  RONDO_PROTOCOL = 8,         /* a peer sent what this version does not understand */
  RONDO_UNSUPPORTED = 9,      /* valid, but not available in this build or on this transport */
  RONDO_RESOURCE = 10,        /* out of memory, file descriptors or ports */
  RONDO_IO = 11,              /* the operating system refused an operation */
  RONDO_INTERNAL = 12         /* a bug in rondo */
};

typedef int32_t rondo_dtype; /* type of an element */
enum {
  RONDO_I8 = 0,
  RONDO_U8 = 1,
  RONDO_I16 = 2,
  RONDO_U16 = 3,
  RONDO_I32 = 4,
  RONDO_U32 = 5,
  RONDO_I64 = 6,
  RONDO_U64 = 7,
  RONDO_F16 = 8,  /* IEEE binary16 */
  RONDO_BF16 = 9, /* the upper half of a binary32 */
  RONDO_F32 = 10,
  RONDO_F64 = 11,
  RONDO_F8E4M3 = 12, /* 8 bits, as rondo::f8e4m3 in rondo/types.hpp; no infinity ("e4m3fn") */
  RONDO_F8E5M2 = 13  /* 8 bits, as rondo::f8e5m2 */
};

/* Reduction of one element over all ranks; semantics as rondo::Op in rondo/types.hpp. */
typedef int32_t rondo_op;
enum { RONDO_SUM = 0, RONDO_PROD = 1, RONDO_MIN = 2, RONDO_MAX = 3, RONDO_AVG = 4 };
enum { RONDO_BAND = 5, RONDO_BOR, RONDO_BXOR, RONDO_LAND, RONDO_LOR, RONDO_LXOR }; /* integers */

typedef int32_t rondo_collective;
enum {
  RONDO_ALLREDUCE = 0,
  RONDO_BROADCAST = 1,
  RONDO_ALLGATHER = 2,
  RONDO_REDUCE_SCATTER = 3,
  RONDO_REDUCE = 4,
  RONDO_BARRIER = 5,
  RONDO_GATHER = 6,
  RONDO_SCATTER = 7,
  RONDO_ALLTOALL = 8,
  RONDO_SCAN = 9,
  RONDO_EXSCAN = 10
};
#define RONDO_MOST_COLLECTIVES 32 /* room for those of later versions */

/* The way a collective is carried out; see rondo/schedule.hpp. */
typedef int32_t rondo_algorithm;
enum {
  RONDO_AUTOMATIC = 0,
  RONDO_RING = 1,
  RONDO_DOUBLE_TREE = 2,
  RONDO_ONE_SHOT = 3,
  RONDO_TWO_SHOT = 4,
  RONDO_KNOMIAL = 5,
  RONDO_CIRCULANT = 6,
  RONDO_RECURSIVE_DOUBLING = 7,
  RONDO_HALVING_DOUBLING = 8,
  RONDO_CHAIN = 9,
  RONDO_SCATTER_ALLGATHER = 10,
  RONDO_PAIRWISE = 11,
  RONDO_BRUCK = 12,
  RONDO_TWO_LEVEL = 13,
  RONDO_CHAIN_TREE = 14
};

typedef struct rondo_comm rondo_comm;
typedef struct rondo_work rondo_work;
typedef struct rondo_persistent rondo_persistent;

/* As `send`: what this rank gives already lies where it belongs in `receive`. */
#define RONDO_IN_PLACE ((const void*)(intptr_t)-1)

/* Options of a world. Begin with RONDO_OPTIONS_INIT; a field of zero stays open, and is then taken
 * from the environment (RONDO_TIMEOUT_MS …) by rondo_comm_from_env and rondo_comm_join, or has its
 * default. A file that is named here and cannot be used is an error; one that a variable names is
 * not: where any rank cannot use it, none does, and the lowest such rank says why on standard
 * error. `size` lets programs and library differ in version: the library takes fields beyond `size`
 * as zero. */
typedef struct rondo_options {
  uint64_t size;             /* sizeof(rondo_options) */
  int64_t timeout_ms;        /* of one collective; default 30,000 */
  int64_t join_timeout_ms;   /* of a world; default 60,000 */
  rondo_algorithm algorithm; /* default RONDO_AUTOMATIC */
  int32_t radix;             /* of k-nomial trees; default automatic */
  uint64_t tile_bytes;       /* bytes of a segment on their way at once; default automatic */
  const char* transport;     /* texts are read during the call only; default "auto" */
  const char* topology;      /* file that says where the ranks live; default: they look */
  const char* costs;         /* file that says what links cost; default: they measure */
  const char* plan_file;     /* file of choices by collective and size; default: none */
  /* Of single collectives: algorithms[RONDO_BROADCAST] goes before `algorithm`. */
  rondo_algorithm algorithms[RONDO_MOST_COLLECTIVES];
  /* Called every so often while a call waits for other ranks, by the thread that carries it out.
   * For programs that have to let another library move on meanwhile. It takes a microsecond at most
   * and makes no call on a communicator. */
  void (*progress)(void* user);
  void* progress_user;
} rondo_options;
#define RONDO_OPTIONS_INIT \
  { sizeof(rondo_options), 0, 0, 0, 0, 0, NULL, NULL, NULL, NULL, {0}, NULL, NULL }

/* Version of the library in use: 10000 * major + 100 * minor + patch, and as a text "0.1.0". */
RONDO_C_API uint32_t rondo_version(void);
RONDO_C_API const char* rondo_version_text(void);

/* "timeout"; "unknown status" for other numbers. Static memory. */
RONDO_C_API const char* rondo_status_name(rondo_status status);

/* Text of the last failed call on this communicator or on what was made of it; "" if there was
 * none. It is valid until the next call on the communicator. For calls that had no communicator to
 * fail on (creation, null arguments) pass NULL: the last such failure of this thread. */
RONDO_C_API const char* rondo_last_error(const rondo_comm* comm);
/* The rank that caused it, or -1 where no single rank did. */
RONDO_C_API int32_t rondo_last_error_peer(const rondo_comm* comm);

/* Joins the world that the launcher made (rondo run, torchrun, mpirun, srun, or RONDO_RANK,
 * RONDO_SIZE and RONDO_ROOT); a world of one without any. All ranks call it. `options` may be NULL.
 * The caller frees *comm. Errors: RONDO_JOIN_FAILED naming the missing or disagreeing ranks. */
RONDO_C_API rondo_status rondo_comm_from_env(const rondo_options* options, rondo_comm** comm);

/* The caller's means to exchange bytes between the ranks of a world: everybody's `bytes` bytes at
 * `mine` to everybody, in rank order, so that `all` has room for one such block of each rank.
 * Blocks until all ranks have called it, and sees to its own deadline. Returns 0 for success; all
 * else ends rondo_comm_join on this rank with RONDO_JOIN_FAILED. */
typedef int32_t (*rondo_allgather_function)(void* user, const void* mine, void* all, size_t bytes);

/* The world of ranks that can exchange bytes already: no launcher, no variables and no place to
 * meet are needed. All ranks call it; `allgather` is called with `user` until it returns, by the
 * calling thread alone; a world of one needs none. The caller frees *comm. Errors:
 * RONDO_JOIN_FAILED, alike on all ranks, naming those that cannot take part or disagree; or those
 * that were not connected in time. */
RONDO_C_API rondo_status rondo_comm_join(int32_t rank, int32_t size,
                                         rondo_allgather_function allgather, void* user,
                                         const rondo_options* options, rondo_comm** comm);

/* A world of `ranks` communicators inside this process, one for each of the caller's threads.
 * `comms` has room for `ranks` pointers; the caller frees each of them. */
RONDO_C_API rondo_status rondo_comm_local(int32_t ranks, const rondo_options* options,
                                          rondo_comm** comms);

/* Waits for pending work, leaves the world and frees the communicator. Works that are not freed yet
 * stay valid. Peers that still wait for this rank get RONDO_PEER_LEFT. NULL does nothing. */
RONDO_C_API void rondo_comm_free(rondo_comm* comm);

/* -1 for NULL. */
RONDO_C_API int32_t rondo_comm_rank(const rondo_comm* comm);
RONDO_C_API int32_t rondo_comm_size(const rondo_comm* comm);

/* Ranks of the same color form a communicator, ordered by key, then by rank; *child is NULL for a
 * negative color. Collective. The caller frees *child; it may outlive `comm`. */
RONDO_C_API rondo_status rondo_comm_split(rondo_comm* comm, int32_t color, int32_t key,
                                          rondo_comm** child);
/* The same ranks once more, for concurrent use. Collective. The caller frees *copy. */
RONDO_C_API rondo_status rondo_comm_duplicate(rondo_comm* comm, rondo_comm** copy);

/* `count` ranks of `comm` form a communicator, in the order of `members`. Only they call it, alike
 * and without waiting for each other; several threads may at once. `context` tells it from all
 * other communicators that the same members make of `comm` in this order, now or later. The caller
 * frees *child; it may outlive `comm`. The text of a failure is in rondo_last_error(NULL). */
RONDO_C_API rondo_status rondo_comm_subgroup(rondo_comm* comm, const int32_t* members,
                                             int32_t count, uint64_t context, rondo_comm** child);

/* Ends all pending and future calls on this communicator on all ranks with RONDO_ABORTED. Any
 * thread; returns at once. `reason` may be NULL and is read during the call only. */
RONDO_C_API rondo_status rondo_comm_abort(rondo_comm* comm, const char* reason);

/* Deadline of the following calls, in milliseconds above zero. */
RONDO_C_API rondo_status rondo_comm_set_timeout(rondo_comm* comm, int64_t timeout_ms);

/* RONDO_OK while the communicator is usable, else what ended it, with the text in
 * rondo_last_error(comm). */
RONDO_C_API rondo_status rondo_comm_status(const rondo_comm* comm);

/* Which schedule a call would use, why, and its drawing. `count` as in the call. Free *text with
 * rondo_string_free. */
RONDO_C_API rondo_status rondo_explain(const rondo_comm* comm, rondo_collective collective,
                                       size_t count, rondo_dtype dtype, char** text);
/* The same of a call with blocks of different lengths: RONDO_ALLGATHER means allgatherv. `counts`
 * has an entry for each rank in allgatherv and reduce_scatterv; it is NULL in the others, where not
 * every rank is told the lengths. */
RONDO_C_API rondo_status rondo_explainv(const rondo_comm* comm, rondo_collective collective,
                                        const size_t* counts, rondo_dtype dtype, char** text);
/* Where the ranks live, as text that a file for rondo_options.topology may hold. */
RONDO_C_API rondo_status rondo_topology(const rondo_comm* comm, char** text);
/* What the links cost, as text that a file for rondo_options.costs may hold. A collective: where
 * neither a file nor an earlier run tells, the first call measures for about 200 ms. */
RONDO_C_API rondo_status rondo_costs(rondo_comm* comm, char** text);
RONDO_C_API void rondo_string_free(char* text);

/* Reduction over all ranks; everybody gets the result. Both buffers have `count` elements. */
RONDO_C_API rondo_status rondo_allreduce(rondo_comm* comm, const void* send, void* receive,
                                         size_t count, rondo_dtype dtype, rondo_op op);
/* The root's `count` elements to everybody's `buffer`. */
RONDO_C_API rondo_status rondo_broadcast(rondo_comm* comm, void* buffer, size_t count,
                                         rondo_dtype dtype, int32_t root);
/* Everybody's `count` elements to everybody, in rank order: `receive` has size * count elements. In
 * place: `send` is RONDO_IN_PLACE or points at block `rank` of `receive`. */
RONDO_C_API rondo_status rondo_allgather(rondo_comm* comm, const void* send, void* receive,
                                         size_t count, rondo_dtype dtype);
/* Reduction of `send`, which has size * count elements; rank r gets block r of `count` elements. In
 * place: `receive` points at block `rank` of `send`; RONDO_IN_PLACE has no meaning here. */
RONDO_C_API rondo_status rondo_reduce_scatter(rondo_comm* comm, const void* send, void* receive,
                                              size_t count, rondo_dtype dtype, rondo_op op);
/* Reduction over all ranks; the root gets the result. `receive` is used at the root only, and may
 * be NULL elsewhere. RONDO_IN_PLACE is for the root only. */
RONDO_C_API rondo_status rondo_reduce(rondo_comm* comm, const void* send, void* receive,
                                      size_t count, rondo_dtype dtype, rondo_op op, int32_t root);
/* Everybody's `count` elements to the root, in rank order. `receive` is used at the root only,
 * where it has size * count elements, and may be NULL elsewhere. RONDO_IN_PLACE is for the root
 * only, whose own elements then lie at block `rank` of `receive`. */
RONDO_C_API rondo_status rondo_gather(rondo_comm* comm, const void* send, void* receive,
                                      size_t count, rondo_dtype dtype, int32_t root);
/* Block r of the root's `send` to rank r. `send` is used at the root only, where it has size *
 * count elements, and may be NULL elsewhere. In place at the root: `receive` points at block `rank`
 * of `send`; RONDO_IN_PLACE has no meaning here. */
RONDO_C_API rondo_status rondo_scatter(rondo_comm* comm, const void* send, void* receive,
                                       size_t count, rondo_dtype dtype, int32_t root);
/* Block i of `send` to rank i, block i of `receive` from rank i, `count` elements each. */
RONDO_C_API rondo_status rondo_alltoall(rondo_comm* comm, const void* send, void* receive,
                                        size_t count, rondo_dtype dtype);
/* Rank r gets the reduction over the ranks 0 to r. RONDO_AVG is refused. */
RONDO_C_API rondo_status rondo_scan(rondo_comm* comm, const void* send, void* receive, size_t count,
                                    rondo_dtype dtype, rondo_op op);
/* Rank r gets the reduction over the ranks 0 to r-1; rank 0's `receive` is not touched. RONDO_AVG
 * is refused. */
RONDO_C_API rondo_status rondo_exscan(rondo_comm* comm, const void* send, void* receive,
                                      size_t count, rondo_dtype dtype, rondo_op op);

/* Blocks of different lengths. `counts` has an entry for each rank: the elements of its block. The
 * blocks lie one after the other, or where `displacements` says (elements, an entry for each rank);
 * NULL for none. Both are read during the call only. Where each rank knows its own part only, ranks
 * that disagree about a block get RONDO_MISMATCH. In place as without the v. */

/* All ranks give the same counts, and all or none give displacements, which may differ. The call
 * sends counts[rank] elements. */
RONDO_C_API rondo_status rondo_allgatherv(rondo_comm* comm, const void* send, void* receive,
                                          const size_t* counts, const size_t* displacements,
                                          rondo_dtype dtype);
/* All ranks give the same counts. Rank r gets block r, of counts[r] elements. */
RONDO_C_API rondo_status rondo_reduce_scatterv(rondo_comm* comm, const void* send, void* receive,
                                               const size_t* counts, rondo_dtype dtype,
                                               rondo_op op);
/* Each rank sends `count` elements. `receive`, `counts` and `displacements` are used at the root
 * only. */
RONDO_C_API rondo_status rondo_gatherv(rondo_comm* comm, const void* send, size_t count,
                                       void* receive, const size_t* counts,
                                       const size_t* displacements, rondo_dtype dtype,
                                       int32_t root);
/* Each rank gets `count` elements. `send`, `counts` and `displacements` are used at the root only.
 */
RONDO_C_API rondo_status rondo_scatterv(rondo_comm* comm, const void* send, const size_t* counts,
                                        const size_t* displacements, void* receive, size_t count,
                                        rondo_dtype dtype, int32_t root);
/* In place, the blocks of `receive` count for both. */
RONDO_C_API rondo_status rondo_alltoallv(rondo_comm* comm, const void* send,
                                         const size_t* send_counts,
                                         const size_t* send_displacements, void* receive,
                                         const size_t* receive_counts,
                                         const size_t* receive_displacements, rondo_dtype dtype);

/* Returns when all ranks have called it. */
RONDO_C_API rondo_status rondo_barrier(rondo_comm* comm);

/* The same, nonblocking: they start the collective and set *work, which the caller frees. The
 * buffers belong to the library until the work is done. Carried out in the order of the calls. */
RONDO_C_API rondo_status rondo_iallreduce(rondo_comm* comm, const void* send, void* receive,
                                          size_t count, rondo_dtype dtype, rondo_op op,
                                          rondo_work** work);
RONDO_C_API rondo_status rondo_ibroadcast(rondo_comm* comm, void* buffer, size_t count,
                                          rondo_dtype dtype, int32_t root, rondo_work** work);
RONDO_C_API rondo_status rondo_iallgather(rondo_comm* comm, const void* send, void* receive,
                                          size_t count, rondo_dtype dtype, rondo_work** work);
RONDO_C_API rondo_status rondo_ireduce_scatter(rondo_comm* comm, const void* send, void* receive,
                                               size_t count, rondo_dtype dtype, rondo_op op,
                                               rondo_work** work);
RONDO_C_API rondo_status rondo_ireduce(rondo_comm* comm, const void* send, void* receive,
                                       size_t count, rondo_dtype dtype, rondo_op op, int32_t root,
                                       rondo_work** work);
RONDO_C_API rondo_status rondo_igather(rondo_comm* comm, const void* send, void* receive,
                                       size_t count, rondo_dtype dtype, int32_t root,
                                       rondo_work** work);
RONDO_C_API rondo_status rondo_iscatter(rondo_comm* comm, const void* send, void* receive,
                                        size_t count, rondo_dtype dtype, int32_t root,
                                        rondo_work** work);
RONDO_C_API rondo_status rondo_ialltoall(rondo_comm* comm, const void* send, void* receive,
                                         size_t count, rondo_dtype dtype, rondo_work** work);
RONDO_C_API rondo_status rondo_iscan(rondo_comm* comm, const void* send, void* receive,
                                     size_t count, rondo_dtype dtype, rondo_op op,
                                     rondo_work** work);
RONDO_C_API rondo_status rondo_iexscan(rondo_comm* comm, const void* send, void* receive,
                                       size_t count, rondo_dtype dtype, rondo_op op,
                                       rondo_work** work);
RONDO_C_API rondo_status rondo_iallgatherv(rondo_comm* comm, const void* send, void* receive,
                                           const size_t* counts, const size_t* displacements,
                                           rondo_dtype dtype, rondo_work** work);
RONDO_C_API rondo_status rondo_ireduce_scatterv(rondo_comm* comm, const void* send, void* receive,
                                                const size_t* counts, rondo_dtype dtype,
                                                rondo_op op, rondo_work** work);
RONDO_C_API rondo_status rondo_igatherv(rondo_comm* comm, const void* send, size_t count,
                                        void* receive, const size_t* counts,
                                        const size_t* displacements, rondo_dtype dtype,
                                        int32_t root, rondo_work** work);
RONDO_C_API rondo_status rondo_iscatterv(rondo_comm* comm, const void* send, const size_t* counts,
                                         const size_t* displacements, void* receive, size_t count,
                                         rondo_dtype dtype, int32_t root, rondo_work** work);
RONDO_C_API rondo_status rondo_ialltoallv(rondo_comm* comm, const void* send,
                                          const size_t* send_counts,
                                          const size_t* send_displacements, void* receive,
                                          const size_t* receive_counts,
                                          const size_t* receive_displacements, rondo_dtype dtype,
                                          rondo_work** work);
RONDO_C_API rondo_status rondo_ibarrier(rondo_comm* comm, rondo_work** work);

/* A collective with a plan of the caller's choice: all ranks give the same plan.
 *
 *   rondo_call call = RONDO_CALL_INIT;
 *   call.collective = RONDO_ALLREDUCE;
 *   call.send = call.receive = values;
 *   call.count = 1000;
 *   call.dtype = RONDO_F32;
 *   rondo_plan plan = RONDO_PLAN_INIT;
 *   plan.algorithm = RONDO_RING;
 *   status = rondo_run(comm, &call, &plan);
 *
 * `size` of both is as in rondo_options. */
typedef struct rondo_call {
  uint64_t size;               /* sizeof(rondo_call) */
  rondo_collective collective; /* the others as in the function of this collective */
  rondo_dtype dtype;
  rondo_op op;
  int32_t root;
  const void* send; /* the same as `receive` where the function has one buffer */
  void* receive;
  size_t count;                        /* not used where all ranks give all counts */
  int32_t uneven;                      /* not 0: blocks of different lengths, as in the v calls */
  int32_t reserved;                    /* 0 */
  const size_t* send_counts;           /* of reduce_scatterv, scatterv, alltoallv */
  const size_t* send_displacements;    /* of scatterv, alltoallv */
  const size_t* receive_counts;        /* of allgatherv, gatherv, alltoallv */
  const size_t* receive_displacements; /* of the same */
} rondo_call;
#define RONDO_CALL_INIT \
  { sizeof(rondo_call), 0, 0, 0, 0, NULL, NULL, 0, 0, 0, NULL, NULL, NULL, NULL }

typedef struct rondo_plan {
  uint64_t size;              /* sizeof(rondo_plan) */
  rondo_algorithm algorithm;  /* one that has the collective */
  int32_t radix;              /* of k-nomial trees; 0: 2 */
  int32_t channels;           /* parts of the vector that go different ways at once; 0: 1 */
  int32_t groups;             /* entries of group_sizes; 0: all ranks are one group */
  uint64_t tile_bytes;        /* bytes of a segment on their way at once; 0: whole segments */
  const int32_t* order;       /* the rank at each position, for all ranks; NULL: in rank order */
  const int32_t* group_sizes; /* so many consecutive positions belong together, as on a host */
  const uint32_t* weights;    /* how long segments are in proportion, for all ranks; NULL: alike */
} rondo_plan;
#define RONDO_PLAN_INIT \
  { sizeof(rondo_plan), RONDO_AUTOMATIC, 0, 0, 0, 0, NULL, NULL, NULL }

/* Both structures are read during the call only. Without a plan (NULL) the planner chooses, as in
 * the function of this collective. */
RONDO_C_API rondo_status rondo_run(rondo_comm* comm, const rondo_call* call,
                                   const rondo_plan* plan);

/* Persistent collectives: what is the same in every call is worked out once, and each call is then
 * a start and a wait, as in MPI 4.0.
 *
 *   rondo_persistent* sum;
 *   status = rondo_persistent_init(comm, &call, NULL, &sum);
 *   for (int step = 0; step < steps && status == RONDO_OK; ++step) {
 *     compute(values);
 *     status = rondo_persistent_start(sum);
 *     if (status == RONDO_OK) status = rondo_persistent_wait(sum);
 *   }
 *   rondo_persistent_free(sum);
 *
 * Takes what rondo_run takes, and moves nothing. The start is the call: all ranks start alike, in
 * one order with all their other collectives, persistent or not. The buffers stay where they are,
 * as long as the object is used. They belong to the library from the start until it is done, and to
 * the caller otherwise. The deadline is that of the communicator now. The caller frees *made. */
RONDO_C_API rondo_status rondo_persistent_init(rondo_comm* comm, const rondo_call* call,
                                               const rondo_plan* plan, rondo_persistent** made);
/* Begins the collective. It goes on inside wait and test, and when another call follows on the
 * communicator. RONDO_INVALID_ARGUMENT where the last start was not waited for, or where the
 * communicator was freed. */
RONDO_C_API rondo_status rondo_persistent_start(rondo_persistent* persistent);
/* Blocks until what was started is done; returns its outcome. RONDO_OK without a start. */
RONDO_C_API rondo_status rondo_persistent_wait(rondo_persistent* persistent);
/* Never blocks. Sets *done as rondo_work_test does; where it is 1, the next start may follow. */
RONDO_C_API rondo_status rondo_persistent_test(rondo_persistent* persistent, int32_t* done);
/* Waits until what was started is done, and frees it. It may outlive `comm`. NULL does nothing. */
RONDO_C_API void rondo_persistent_free(rondo_persistent* persistent);

/* Memory that other ranks of this host can read where it is, so that large messages from it are not
 * copied on their way. At least `bytes` bytes of zeros, at the beginning of a page, in whole pages;
 * each piece takes a file descriptor. The caller gives *memory back. Without a communicator: see
 * rondo_last_error(NULL). Errors: RONDO_RESOURCE, RONDO_IO. */
RONDO_C_API rondo_status rondo_allocate(size_t bytes, void** memory);
/* When no call that uses it is under way. What rondo_allocate did not give, like NULL, is left. */
RONDO_C_API void rondo_deallocate(void* memory);
/* The same of memory that the program already has, as of malloc: its addresses and bytes stay as
 * they are, and the whole pages inside become shared ones. Nobody may use it meanwhile. It must be
 * deregistered before it is freed. A child process shares the pages, and has no copy of them.
 * RONDO_INVALID_ARGUMENT where a part of it is registered already, was given by rondo_allocate, or
 * is no private memory (mapped files, shared memory, stacks); RONDO_RESOURCE, RONDO_IO. The memory
 * is as it was then. More of it in rondo/memory.hpp. */
RONDO_C_API rondo_status rondo_register_memory(void* memory, size_t bytes);
/* Makes it private again, with what it holds. RONDO_INVALID_ARGUMENT where no registered memory
 * begins there. */
RONDO_C_API rondo_status rondo_deregister_memory(void* memory);

/* Messages between two ranks, which alone call these: beside the collectives, in the order of the
 * calls from one rank to another. Both sides agree in count and type, or both get RONDO_MISMATCH. A
 * send may wait until the other side receives: ranks that send to each other do so in one exchange,
 * or nonblocking; nonblocking ones are carried out side by side. */
typedef int32_t rondo_message_kind;
enum { RONDO_SEND = 0, RONDO_RECV = 1 };

typedef struct rondo_message {
  rondo_message_kind kind;
  int32_t peer;
  void* buffer; /* only read by RONDO_SEND */
  size_t count;
  rondo_dtype dtype;
} rondo_message;

RONDO_C_API rondo_status rondo_send(rondo_comm* comm, const void* buffer, size_t count,
                                    rondo_dtype dtype, int32_t to);
RONDO_C_API rondo_status rondo_recv(rondo_comm* comm, void* buffer, size_t count, rondo_dtype dtype,
                                    int32_t from);
/* `count` messages at once, in any order, without deadlock, also to this rank itself where it
 * receives as many in the same exchange. `messages` is read during the call only. */
RONDO_C_API rondo_status rondo_exchange(rondo_comm* comm, const rondo_message* messages,
                                        size_t count);
RONDO_C_API rondo_status rondo_isend(rondo_comm* comm, const void* buffer, size_t count,
                                     rondo_dtype dtype, int32_t to, rondo_work** work);
RONDO_C_API rondo_status rondo_irecv(rondo_comm* comm, void* buffer, size_t count,
                                     rondo_dtype dtype, int32_t from, rondo_work** work);
RONDO_C_API rondo_status rondo_iexchange(rondo_comm* comm, const rondo_message* messages,
                                         size_t count, rondo_work** work);

/* Blocks until the work is done; returns its outcome. Every work is done by its deadline, which
 * counts from when its turn comes. */
RONDO_C_API rondo_status rondo_work_wait(rondo_work* work);
/* Blocks until the work is done, for at most `patience_ms`. Sets *done as rondo_work_test does. */
RONDO_C_API rondo_status rondo_work_wait_for(rondo_work* work, int64_t patience_ms, int32_t* done);
/* Never blocks. Sets *done to 0 or 1, also when it returns the outcome of a failed work. */
RONDO_C_API rondo_status rondo_work_test(rondo_work* work, int32_t* done);
/* Waits until the work is done, and frees it. NULL does nothing. */
RONDO_C_API void rondo_work_free(rondo_work* work);

#ifdef __cplusplus
}
#endif
