/* The same collectives so often that a drop-in has made up its mind about them, and goes on; with
 * types and sizes in turns, so that what it remembers of one is not taken for the other. */

#include "report.h"

enum { rounds = 50, most = 600 };

static int rank, size;
static MPI_Comm comm;

static void fill(int* data, int count, int salt) {
  for (int i = 0; i < count; ++i) data[i] = rank * 1000 + i + salt;
}

static void reductions(int count, int salt) {
  int in[most], out[most] = {0};
  double reals[most], sums[most] = {0};
  fill(in, count * size, salt);
  for (int i = 0; i < count; ++i) reals[i] = in[i];
  MPI_Allreduce(in, out, count, MPI_INT, MPI_SUM, comm);
  MPI_Allreduce(reals, sums, count, MPI_DOUBLE, MPI_MAX, comm);
  report_bytes("allreduce", out, sizeof *out * (size_t)count);
  report_bytes("allreduce of doubles", sums, sizeof *sums * (size_t)count);
  MPI_Scan(in, out, count, MPI_INT, MPI_SUM, comm);
  report_bytes("scan", out, sizeof *out * (size_t)count);
  memset(out, 0, sizeof out);
  MPI_Exscan(in, out, count, MPI_INT, MPI_MIN, comm);
  report_bytes("exscan", out, rank == 0 ? 0 : sizeof *out * (size_t)count);
  memset(out, 0, sizeof out);
  MPI_Reduce(in, out, count, MPI_INT, MPI_BXOR, salt % size, comm);
  report_bytes("reduce", out, rank == salt % size ? sizeof *out * (size_t)count : 0);
  MPI_Reduce_scatter_block(in, out, count, MPI_INT, MPI_SUM, comm);
  report_bytes("reduce_scatter_block", out, sizeof *out * (size_t)count);
  int counts[most];
  for (int i = 0; i < size; ++i) counts[i] = i == salt % size ? count : 0;
  MPI_Reduce_scatter(in, out, counts, MPI_INT, MPI_SUM, comm);
  report_bytes("reduce_scatter", out, sizeof *out * (size_t)counts[rank]);
}

static void movements(int count, int salt) {
  int in[most], out[most] = {0};
  const int all = count * size;
  const int root = salt % size;
  const size_t bytes = sizeof *out * (size_t)count;
  fill(in, all, salt);
  MPI_Bcast(in, count, MPI_INT, root, comm);
  report_bytes("bcast", in, bytes);
  fill(in, all, salt);
  MPI_Allgather(in, count, MPI_INT, out, count, MPI_INT, comm);
  report_bytes("allgather", out, bytes * (size_t)size);
  MPI_Alltoall(in, count, MPI_INT, out, count, MPI_INT, comm);
  report_bytes("alltoall", out, bytes * (size_t)size);
  /* What only the root knows is nonsense on the others, and the types of both sides differ. */
  memset(out, 0, sizeof out);
  MPI_Gather(in, count, MPI_INT, out, rank == root ? 4 * count : -7, MPI_BYTE, root, comm);
  report_bytes("gather", out, rank == root ? bytes * (size_t)size : 0);
  MPI_Scatter(in, rank == root ? 4 * count : -7, MPI_BYTE, out, count, MPI_INT, root, comm);
  report_bytes("scatter", out, bytes);
}

static void movements_of_parts(int count, int salt) {
  int in[most], out[most] = {0};
  int counts[most], places[most];
  const int root = salt % size;
  fill(in, count * size, salt);
  for (int i = 0; i < size; ++i) {
    counts[i] = count;
    places[i] = (size - 1 - i) * count;
  }
  const size_t bytes = sizeof *out * (size_t)(count * size);
  MPI_Allgatherv(in, count, MPI_INT, out, counts, places, MPI_INT, comm);
  report_bytes("allgatherv", out, bytes);
  memset(out, 0, sizeof out);
  MPI_Gatherv(in, count, MPI_INT, out, counts, places, MPI_INT, root, comm);
  report_bytes("gatherv", out, rank == root ? bytes : 0);
  MPI_Scatterv(in, counts, places, MPI_INT, out, count, MPI_INT, root, comm);
  report_bytes("scatterv", out, sizeof *out * (size_t)count);
  MPI_Alltoallv(in, counts, places, MPI_INT, out, counts, places, MPI_INT, comm);
  report_bytes("alltoallv", out, bytes);
  MPI_Barrier(comm);
}

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  MPI_Init(&argc, &argv);
  for (int life = 0; life < 3; ++life) {
    MPI_Comm_dup(MPI_COMM_WORLD, &comm);
    MPI_Comm_rank(comm, &rank);
    MPI_Comm_size(comm, &size);
    for (int round = 0; round < rounds; ++round) {
      for (int count = 1; count <= 100; count *= 10) {
        reductions(count, round);
        movements(count, round);
        movements_of_parts(count, round);
      }
    }
    MPI_Comm_free(&comm);
  }
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  report_write(argv[1]);
  MPI_Finalize();
  return 0;
}
