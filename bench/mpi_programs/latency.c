/* How long collectives take as an MPI program sees them: the median over batches of calls, the
 * slowest rank's, in microseconds. Run it with and without rondo.
 *
 * usage: latency [LARGEST BYTES [COLLECTIVE]] */

#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { batches = 21, warm_ups = 120 };

static int rank, size;
static char *send, *receive;

typedef void call(size_t bytes);

static void allreduce(size_t bytes) {
  MPI_Allreduce(send, receive, (int)(bytes / 4), MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD);
}
static void bcast(size_t bytes) {
  MPI_Bcast(send, (int)bytes, MPI_BYTE, 0, MPI_COMM_WORLD);
}
static void reduce(size_t bytes) {
  MPI_Reduce(send, receive, (int)(bytes / 4), MPI_FLOAT, MPI_SUM, 0, MPI_COMM_WORLD);
}
static void allgather(size_t bytes) {
  const int each = (int)(bytes / (size_t)size);
  MPI_Allgather(send, each, MPI_BYTE, receive, each, MPI_BYTE, MPI_COMM_WORLD);
}
static void reduce_scatter_block(size_t bytes) {
  const int each = (int)(bytes / (size_t)size / 4);
  MPI_Reduce_scatter_block(send, receive, each, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD);
}
static void alltoall(size_t bytes) {
  const int each = (int)(bytes / (size_t)size);
  MPI_Alltoall(send, each, MPI_BYTE, receive, each, MPI_BYTE, MPI_COMM_WORLD);
}
static void gather(size_t bytes) {
  const int each = (int)(bytes / (size_t)size);
  MPI_Gather(send, each, MPI_BYTE, receive, each, MPI_BYTE, 0, MPI_COMM_WORLD);
}
static void scatter(size_t bytes) {
  const int each = (int)(bytes / (size_t)size);
  MPI_Scatter(send, each, MPI_BYTE, receive, each, MPI_BYTE, 0, MPI_COMM_WORLD);
}
static void scan(size_t bytes) {
  MPI_Scan(send, receive, (int)(bytes / 4), MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD);
}
static void barrier(size_t bytes) {
  (void)bytes;
  MPI_Barrier(MPI_COMM_WORLD);
}

static int compare(const void* a, const void* b) {
  const double x = *(const double*)a;
  const double y = *(const double*)b;
  return x < y ? -1 : x > y;
}

static double measure(call* function, size_t bytes) {
  const int calls = bytes <= 4096 ? 200 : bytes <= 262144 ? 20 : 2;
  const int warm = bytes <= 1u << 20 ? warm_ups : 24;
  double times[batches];
  for (int i = 0; i < warm; ++i) function(bytes);
  for (int b = 0; b < batches; ++b) {
    MPI_Barrier(MPI_COMM_WORLD);
    const double start = MPI_Wtime();
    for (int i = 0; i < calls; ++i) function(bytes);
    times[b] = (MPI_Wtime() - start) / calls;
  }
  qsort(times, batches, sizeof *times, compare);
  double slowest = 0;
  MPI_Reduce(&times[batches / 2], &slowest, 1, MPI_DOUBLE, MPI_MAX, 0, MPI_COMM_WORLD);
  return slowest * 1e6;
}

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  const size_t largest = argc > 1 ? (size_t)atol(argv[1]) : 16u << 20;
  const char* only = argc > 2 ? argv[2] : NULL;
  const struct {
    const char* name;
    call* function;
  } all[] = {{"allreduce", allreduce}, {"bcast", bcast},
             {"reduce", reduce},       {"allgather", allgather},
             {"alltoall", alltoall},   {"reduce_scatter_block", reduce_scatter_block},
             {"gather", gather},       {"scatter", scatter},
             {"scan", scan},           {"barrier", barrier}};
  send = (char*)calloc(1, largest + 64);
  receive = (char*)calloc(1, largest + 64);
  if (send == NULL || receive == NULL) return 1;
  for (size_t i = 0; i < sizeof all / sizeof *all; ++i) {
    if (only != NULL && strcmp(only, all[i].name) != 0) continue;
    for (size_t bytes = 4 * (size_t)size; bytes <= largest; bytes *= 8) {
      const double microseconds = measure(all[i].function, bytes);
      if (rank == 0) printf("%s %zu %.3f\n", all[i].name, bytes, microseconds);
      if (all[i].function == barrier) break;
    }
  }
  free(receive);
  free(send);
  MPI_Finalize();
  return 0;
}
