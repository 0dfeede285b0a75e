/* So many calls of two ranks: 10 sums of an int, 3 by an operation of this program's own, 5
 * nonblocking scans and one persistent scan, started twice, on a communicator of theirs. Those that
 * follow make no call at all.
 *
 * usage: counted RESULT [forget]; forget: rank 1 has no statistics */

#include "forms.h"
#include "report.h"

static void add(void* in, void* out, int* count, MPI_Datatype* type) {
  (void)type;
  for (int i = 0; i < *count; ++i) ((int*)out)[i] += ((int*)in)[i];
}

int main(int argc, char** argv) {
  const char* number = getenv("OMPI_COMM_WORLD_RANK");
  if (number == NULL) number = getenv("PMI_RANK");
  if (argc == 3 && number != NULL && atoi(number) == 1) unsetenv("RONDO_STATS");
  MPI_Init(&argc, &argv);
  int rank = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm two;
  MPI_Comm_split(MPI_COMM_WORLD, rank < 2 ? 0 : MPI_UNDEFINED, rank, &two);
  if (two != MPI_COMM_NULL) {
    int sum = 0;
    for (int i = 0; i < 10; ++i) MPI_Allreduce(&rank, &sum, 1, MPI_INT, MPI_SUM, two);
    MPI_Op op;
    MPI_Op_create(add, 1, &op);
    for (int i = 0; i < 3; ++i) MPI_Allreduce(&rank, &sum, 1, MPI_INT, op, two);
    MPI_Op_free(&op);
    form = nonblocking;
    for (int i = 0; i < 5; ++i) COLLECTIVE(Scan, scan, &rank, &sum, 1, MPI_INT, MPI_SUM, two);
    MPI_Request request;
    PERSISTENT(Scan)(&rank, &sum, 1, MPI_INT, MPI_SUM, two, MPI_INFO_NULL, &request);
    for (int i = 0; i < 2; ++i) {
      MPI_Start(&request);
      MPI_Wait(&request, MPI_STATUS_IGNORE);
    }
    MPI_Request_free(&request);
    report_text("sum: %d\n", sum);
  }
  report_write(argv[1]);
  MPI_Finalize();
  return 0;
}
