/* What MPI promises beside results: progress of messages while a rank waits in a collective, error
 * codes, attributes, order with nonblocking collectives, work in MPI_Finalize. */

#include "report.h"

static int rank, size;

/* The message needs rank 0's help while it waits: it is too large to be sent at once. */
static void message_moves_while_a_rank_waits(void) {
  const int count = 1 << 20;
  int* data = (int*)malloc((size_t)count * sizeof(int));
  if (data == NULL) abort();
  for (int round = 0; round < 3; ++round) {
    MPI_Request request = MPI_REQUEST_NULL;
    for (int i = 0; i < count; ++i) data[i] = rank == 0 ? i + round : -1;
    if (rank == 0 && size > 1) MPI_Isend(data, count, MPI_INT, 1, 9, MPI_COMM_WORLD, &request);
    if (rank == 1) MPI_Recv(data, count, MPI_INT, 0, 9, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    int sum = rank;
    if (round == 0) MPI_Barrier(MPI_COMM_WORLD);
    if (round == 1) MPI_Allreduce(MPI_IN_PLACE, &sum, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    if (round == 2) MPI_Bcast(&sum, 1, MPI_INT, size - 1, MPI_COMM_WORLD);
    MPI_Wait(&request, MPI_STATUS_IGNORE);
    report_text("round %d: %d\n", round, sum);
    if (rank == 1) report_bytes("message", data, (size_t)count * sizeof(int));
  }
  free(data);
}

/* Debian builds MPICH without checks of arguments: it crashes. */
#if !defined(MPICH)
static void show_error(const char* what, int code) {
  int class_of_it = MPI_SUCCESS;
  if (code != MPI_SUCCESS) MPI_Error_class(code, &class_of_it);
  char text[MPI_MAX_ERROR_STRING];
  int length = 0;
  MPI_Error_string(class_of_it, text, &length);
  report_text("%s: %s\n", what, text);
}

static void mistakes_are_told(void) {
  MPI_Comm comm;
  MPI_Comm_dup(MPI_COMM_WORLD, &comm);
  MPI_Comm_set_errhandler(comm, MPI_ERRORS_RETURN);
  int in = 1;
  int out = 0;
  show_error("root", MPI_Bcast(&in, 1, MPI_INT, size, comm));
  show_error("count", MPI_Allreduce(&in, &out, -1, MPI_INT, MPI_SUM, comm));
  show_error("type", MPI_Bcast(&in, 1, MPI_DATATYPE_NULL, 0, comm));
  show_error("op", MPI_Allreduce(&in, &out, 1, MPI_INT, MPI_OP_NULL, comm));
  /* Open MPI 4.1 tells MPI_COMM_WORLD of some of these. */
  MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
  show_error("nowhere", MPI_Allreduce(&in, MPI_IN_PLACE, 1, MPI_INT, MPI_SUM, comm));
  show_error("moved nowhere", MPI_Bcast(MPI_IN_PLACE, 1, MPI_INT, 0, comm));
  show_error("gathered nowhere", MPI_Allgather(&in, 1, MPI_INT, MPI_IN_PLACE, 1, MPI_INT, comm));
  MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_ARE_FATAL);
  show_error("right", MPI_Allreduce(&in, &out, 1, MPI_INT, MPI_SUM, comm));
  report_text("sum: %d\n", out);
  MPI_Comm_free(&comm);
}

#endif

static int deleted;

static int count_deletion(MPI_Comm comm, int key, void* value, void* extra) {
  (void)comm;
  (void)key;
  (void)value;
  (void)extra;
  ++deleted;
  return MPI_SUCCESS;
}

static void attributes_are_kept(void) {
  int key = MPI_KEYVAL_INVALID;
  MPI_Comm_create_keyval(MPI_COMM_NULL_COPY_FN, count_deletion, &key, NULL);
  MPI_Comm comm;
  MPI_Comm_dup(MPI_COMM_WORLD, &comm);
  int here = 5;
  MPI_Comm_set_attr(comm, key, &here);
  for (int i = 0; i < 3; ++i) MPI_Barrier(comm);
  int* found = NULL;
  int is_there = 0;
  MPI_Comm_get_attr(comm, key, &found, &is_there);
  report_text("attribute: %d\n", is_there ? *found : -1);
  MPI_Comm_free(&comm);
  report_text("deleted: %d\n", deleted);
  MPI_Comm_free_keyval(&key);
}

static void nonblocking_ones_keep_their_place(void) {
  int values[4] = {rank, rank + 1, rank + 2, rank + 3};
  int sums[4] = {0, 0, 0, 0};
  MPI_Request requests[2];
  MPI_Iallreduce(&values[0], &sums[0], 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD, &requests[0]);
  MPI_Allreduce(&values[1], &sums[1], 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
  MPI_Iallreduce(&values[2], &sums[2], 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD, &requests[1]);
  MPI_Allreduce(&values[3], &sums[3], 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
  MPI_Waitall(2, requests, MPI_STATUSES_IGNORE);
  report_text("sums: %d %d %d %d\n", sums[0], sums[1], sums[2], sums[3]);
}

/* Called by MPI_Finalize, which frees MPI_COMM_SELF's attributes first of all. */
static int sum_at_the_end(MPI_Comm comm, int key, void* value, void* extra) {
  (void)comm;
  (void)key;
  (void)value;
  (void)extra;
  int sum = 1;
  MPI_Allreduce(MPI_IN_PLACE, &sum, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
  if (sum != size) fprintf(stderr, "in MPI_Finalize: %d ranks instead of %d\n", sum, size);
  return sum == size ? MPI_SUCCESS : MPI_ERR_OTHER;
}

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  MPI_Init(&argc, &argv);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  message_moves_while_a_rank_waits();
#if !defined(MPICH)
  mistakes_are_told();
#endif
  attributes_are_kept();
  nonblocking_ones_keep_their_place();
  report_write(argv[1]);
  int key = MPI_KEYVAL_INVALID;
  MPI_Comm_create_keyval(MPI_COMM_NULL_COPY_FN, sum_at_the_end, &key, NULL);
  MPI_Comm_set_attr(MPI_COMM_SELF, key, NULL);
  MPI_Finalize();
  return 0;
}
