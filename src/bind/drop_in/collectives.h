#pragma once

/* The collectives that the drop-in looks at, each as
 *   X(name in the component, name after MPI_, (parameters), (arguments), (what left.h looks at))
 * in C, since Open MPI's internal headers are. */

#define RONDO_MPI_COLLECTIVES(X)                                                                 \
  X(allreduce, Allreduce,                                                                        \
    (const void* send, void* receive, int count, MPI_Datatype type, MPI_Op op, MPI_Comm comm),   \
    (send, receive, count, type, op, comm), (type, op, (size_t)count))                           \
  X(bcast, Bcast, (void* buffer, int count, MPI_Datatype type, int root, MPI_Comm comm),         \
    (buffer, count, type, root, comm), (RONDO_DATA(type, count)))                                \
  X(allgather, Allgather,                                                                        \
    (const void* send, int send_count, MPI_Datatype send_type, void* receive, int receive_count, \
     MPI_Datatype receive_type, MPI_Comm comm),                                                  \
    (send, send_count, send_type, receive, receive_count, receive_type, comm),                   \
    (RONDO_DATA(receive_type, receive_count)))                                                   \
  X(allgatherv, Allgatherv,                                                                      \
    (const void* send, int send_count, MPI_Datatype send_type, void* receive,                    \
     const int* receive_counts, const int* places, MPI_Datatype receive_type, MPI_Comm comm),    \
    (send, send_count, send_type, receive, receive_counts, places, receive_type, comm),          \
    (RONDO_DATA(receive_type, rondo_sum(left, receive_counts))))                                 \
  X(reduce, Reduce,                                                                              \
    (const void* send, void* receive, int count, MPI_Datatype type, MPI_Op op, int root,         \
     MPI_Comm comm),                                                                             \
    (send, receive, count, type, op, root, comm), (type, op, (size_t)count))                     \
  X(reduce_scatter, Reduce_scatter,                                                              \
    (const void* send, void* receive, const int* counts, MPI_Datatype type, MPI_Op op,           \
     MPI_Comm comm),                                                                             \
    (send, receive, counts, type, op, comm), (type, op, rondo_sum(left, counts)))                \
  X(reduce_scatter_block, Reduce_scatter_block,                                                  \
    (const void* send, void* receive, int count, MPI_Datatype type, MPI_Op op, MPI_Comm comm),   \
    (send, receive, count, type, op, comm), (type, op, (size_t)count))                           \
  X(alltoall, Alltoall,                                                                          \
    (const void* send, int send_count, MPI_Datatype send_type, void* receive, int receive_count, \
     MPI_Datatype receive_type, MPI_Comm comm),                                                  \
    (send, send_count, send_type, receive, receive_count, receive_type, comm),                   \
    (RONDO_DATA(receive_type, receive_count)))                                                   \
  X(alltoallv, Alltoallv,                                                                        \
    (const void* send, const int* send_counts, const int* send_places, MPI_Datatype send_type,   \
     void* receive, const int* receive_counts, const int* receive_places,                        \
     MPI_Datatype receive_type, MPI_Comm comm),                                                  \
    (send, send_counts, send_places, send_type, receive, receive_counts, receive_places,         \
     receive_type, comm),                                                                        \
    (RONDO_NOTHING))                                                                             \
  X(gather, Gather,                                                                              \
    (const void* send, int send_count, MPI_Datatype send_type, void* receive, int receive_count, \
     MPI_Datatype receive_type, int root, MPI_Comm comm),                                        \
    (send, send_count, send_type, receive, receive_count, receive_type, root, comm),             \
    (RONDO_DATA(root == left->rank ? receive_type : send_type,                                   \
                root == left->rank ? receive_count : send_count)))                               \
  X(gatherv, Gatherv,                                                                            \
    (const void* send, int send_count, MPI_Datatype send_type, void* receive,                    \
     const int* receive_counts, const int* places, MPI_Datatype receive_type, int root,          \
     MPI_Comm comm),                                                                             \
    (send, send_count, send_type, receive, receive_counts, places, receive_type, root, comm),    \
    (RONDO_NOTHING))                                                                             \
  X(scatter, Scatter,                                                                            \
    (const void* send, int send_count, MPI_Datatype send_type, void* receive, int receive_count, \
     MPI_Datatype receive_type, int root, MPI_Comm comm),                                        \
    (send, send_count, send_type, receive, receive_count, receive_type, root, comm),             \
    (RONDO_DATA(root == left->rank ? send_type : receive_type,                                   \
                root == left->rank ? send_count : receive_count)))                               \
  X(scatterv, Scatterv,                                                                          \
    (const void* send, const int* send_counts, const int* places, MPI_Datatype send_type,        \
     void* receive, int receive_count, MPI_Datatype receive_type, int root, MPI_Comm comm),      \
    (send, send_counts, places, send_type, receive, receive_count, receive_type, root, comm),    \
    (RONDO_NOTHING))                                                                             \
  X(barrier, Barrier, (MPI_Comm comm), (comm), (RONDO_NOTHING))                                  \
  X(scan, Scan,                                                                                  \
    (const void* send, void* receive, int count, MPI_Datatype type, MPI_Op op, MPI_Comm comm),   \
    (send, receive, count, type, op, comm), (type, op, (size_t)count))                           \
  X(exscan, Exscan,                                                                              \
    (const void* send, void* receive, int count, MPI_Datatype type, MPI_Op op, MPI_Comm comm),   \
    (send, receive, count, type, op, comm), (type, op, (size_t)count))

/* The elements of a list in parentheses. */
#define RONDO_MPI_LIST(...) __VA_ARGS__
