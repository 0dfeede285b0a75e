/* How long collectives take as an MPI program sees them: the median over batches of calls, the
 * slowest rank's, in microseconds. Run it with and without rondo; or, under rondo's component for
 * Open MPI, with "turns": on two communicators in turns, of which one has no rondo. Then each line
 * has the times without, with, and the second divided by the first.
 *
 * usage: latency [LARGEST BYTES [COLLECTIVE or all [turns]]] */

#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { batches = 21, most_turns = 2 };

static int rank, size;
static MPI_Comm comm;
static char *send, *receive;
static int *counts, *places;

typedef void call(size_t bytes);

static void allreduce(size_t bytes) {
  MPI_Allreduce(send, receive, (int)(bytes / 4), MPI_FLOAT, MPI_SUM, comm);
}
static void bcast(size_t bytes) {
  MPI_Bcast(send, (int)bytes, MPI_BYTE, 0, comm);
}
static void reduce(size_t bytes) {
  MPI_Reduce(send, receive, (int)(bytes / 4), MPI_FLOAT, MPI_SUM, 0, comm);
}
static void allgather(size_t bytes) {
  const int each = (int)(bytes / (size_t)size);
  MPI_Allgather(send, each, MPI_BYTE, receive, each, MPI_BYTE, comm);
}
static void reduce_scatter_block(size_t bytes) {
  const int each = (int)(bytes / (size_t)size / 4);
  MPI_Reduce_scatter_block(send, receive, each, MPI_FLOAT, MPI_SUM, comm);
}
static void alltoall(size_t bytes) {
  const int each = (int)(bytes / (size_t)size);
  MPI_Alltoall(send, each, MPI_BYTE, receive, each, MPI_BYTE, comm);
}
static void gather(size_t bytes) {
  const int each = (int)(bytes / (size_t)size);
  MPI_Gather(send, each, MPI_BYTE, receive, each, MPI_BYTE, 0, comm);
}
static void scatter(size_t bytes) {
  const int each = (int)(bytes / (size_t)size);
  MPI_Scatter(send, each, MPI_BYTE, receive, each, MPI_BYTE, 0, comm);
}
static void scan(size_t bytes) {
  MPI_Scan(send, receive, (int)(bytes / 4), MPI_FLOAT, MPI_SUM, comm);
}
static void exscan(size_t bytes) {
  MPI_Exscan(send, receive, (int)(bytes / 4), MPI_FLOAT, MPI_SUM, comm);
}
/* The same lengths for all, which those with a v in their names do not know. */
static void cut(size_t bytes) {
  for (int i = 0; i < size; ++i) {
    counts[i] = (int)(bytes / (size_t)size / 4);
    places[i] = i * counts[i];
  }
}
static void reduce_scatter(size_t bytes) {
  cut(bytes);
  MPI_Reduce_scatter(send, receive, counts, MPI_FLOAT, MPI_SUM, comm);
}
static void allgatherv(size_t bytes) {
  cut(bytes);
  MPI_Allgatherv(send, counts[0], MPI_FLOAT, receive, counts, places, MPI_FLOAT, comm);
}
static void alltoallv(size_t bytes) {
  cut(bytes);
  MPI_Alltoallv(send, counts, places, MPI_FLOAT, receive, counts, places, MPI_FLOAT, comm);
}
static void gatherv(size_t bytes) {
  cut(bytes);
  MPI_Gatherv(send, counts[0], MPI_FLOAT, receive, counts, places, MPI_FLOAT, 0, comm);
}
static void scatterv(size_t bytes) {
  cut(bytes);
  MPI_Scatterv(send, counts, places, MPI_FLOAT, receive, counts[0], MPI_FLOAT, 0, comm);
}
static void barrier(size_t bytes) {
  (void)bytes;
  MPI_Barrier(comm);
}

static int compare(const void* a, const void* b) {
  const double x = *(const double*)a;
  const double y = *(const double*)b;
  return x < y ? -1 : x > y;
}

static double of_slowest(double* times) {
  qsort(times, batches, sizeof *times, compare);
  double slowest = 0;
  MPI_Allreduce(&times[batches / 2], &slowest, 1, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD);
  return slowest * 1e6;
}

static void measure(const char* name, call* function, size_t bytes, const MPI_Comm* comms,
                    int turns) {
  const int calls = bytes <= 4096 ? 200 : bytes <= 262144 ? 20 : 4;
  /* rondo has decided after 64 calls and 30 of a kind and size */
  const int warm_ups = bytes <= 262144 ? 120 : 40;
  double times[most_turns][batches];
  for (int turn = 0; turn < turns; ++turn) {
    comm = comms[turn];
    for (int i = 0; i < warm_ups; ++i) function(bytes);
  }
  for (int b = 0; b < batches; ++b) {
    for (int i = 0; i < turns; ++i) {
      const int turn = (b + i) % turns;
      comm = comms[turn];
      MPI_Barrier(MPI_COMM_WORLD);
      const double start = MPI_Wtime();
      for (int call = 0; call < calls; ++call) function(bytes);
      times[turn][b] = (MPI_Wtime() - start) / calls;
    }
  }
  const double first = of_slowest(times[0]);
  const double second = turns == 2 ? of_slowest(times[1]) : 0;
  if (rank != 0) return;
  if (turns == 2) {
    printf("%s %zu %.3f %.3f %.3f\n", name, bytes, first, second, second / first);
  } else {
    printf("%s %zu %.3f\n", name, bytes, first);
  }
}

/* 0 where there is no such component. */
static int set_priority(int priority) {
  int provided = 0;
  int index = 0;
  int count = 0;
  MPI_T_cvar_handle handle;
  MPI_T_init_thread(MPI_THREAD_SINGLE, &provided);
  const int is_set = MPI_T_cvar_get_index("coll_rondo_priority", &index) == MPI_SUCCESS &&
                     MPI_T_cvar_handle_alloc(index, NULL, &handle, &count) == MPI_SUCCESS &&
                     MPI_T_cvar_write(handle, &priority) == MPI_SUCCESS;
  MPI_T_finalize();
  return is_set;
}

int main(int argc, char** argv) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  MPI_Init(&argc, &argv);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  const size_t largest = argc > 1 ? (size_t)atol(argv[1]) : 16u << 20;
  const char* only = argc > 2 ? argv[2] : "all";
  const int turns = argc > 3 && strcmp(argv[3], "turns") == 0 ? 2 : 1;
  MPI_Comm comms[most_turns];
  if (turns == 2) {
    if (!set_priority(-1)) {
      fputs("latency: there is no component of rondo's: 'rondo mpi --' has to stand before\n",
            stderr);
      MPI_Abort(MPI_COMM_WORLD, 2);
    }
    MPI_Comm_dup(MPI_COMM_WORLD, &comms[0]);
    set_priority(90);
  }
  MPI_Comm_dup(MPI_COMM_WORLD, &comms[turns - 1]);
  const struct {
    const char* name;
    call* function;
  } all[] = {{"allreduce", allreduce},
             {"bcast", bcast},
             {"reduce", reduce},
             {"allgather", allgather},
             {"alltoall", alltoall},
             {"reduce_scatter_block", reduce_scatter_block},
             {"gather", gather},
             {"scatter", scatter},
             {"scan", scan},
             {"exscan", exscan},
             {"reduce_scatter", reduce_scatter},
             {"allgatherv", allgatherv},
             {"alltoallv", alltoallv},
             {"gatherv", gatherv},
             {"scatterv", scatterv},
             {"barrier", barrier}};
  send = (char*)calloc(1, largest + 64);
  receive = (char*)calloc(1, largest + 64);
  counts = (int*)calloc((size_t)size, sizeof *counts);
  places = (int*)calloc((size_t)size, sizeof *places);
  if (send == NULL || receive == NULL || counts == NULL || places == NULL) return 1;
  for (size_t i = 0; i < sizeof all / sizeof *all; ++i) {
    if (strcmp(only, "all") != 0 && strcmp(only, all[i].name) != 0) continue;
    for (size_t bytes = 4 * (size_t)size; bytes <= largest; bytes *= 8) {
      measure(all[i].name, all[i].function, bytes, comms, turns);
      if (all[i].function == barrier) break;
    }
  }
  free(places);
  free(counts);
  free(receive);
  free(send);
  MPI_Finalize();
  return 0;
}
