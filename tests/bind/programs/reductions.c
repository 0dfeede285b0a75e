/* Every reduction × predefined type × operation × count × in place or not × form, of all operations
 * or those named after the file. Writes what each rank gets to the file; the same program under
 * plain MPI says what that ought to be.
 *
 * usage: reductions FILE [some] [OPERATION …]; some: large counts of each fifth type and operation,
 * and forms of one count only, for MPIs that take milliseconds for a call */

#include "forms.h"
#include "typed.h"

static int rank, size;
static const char* asked[16];
static int asked_count, is_some;

static void reduce_all_ways(const struct type* type, const struct op* op, int count) {
  const size_t extent = extent_of(type);
  const size_t bytes = extent * (size_t)(count * size + 1);
  unsigned char* send = (unsigned char*)malloc(bytes);
  unsigned char* receive = (unsigned char*)malloc(bytes);
  int* counts = (int*)malloc((size_t)size * sizeof(int));
  if (send == NULL || receive == NULL || counts == NULL) abort();
  const enum range range = range_of(op->op);
  fill(type, send, count * size, rank, range);
  char what[128];
  for (int in_place = 0; in_place < 2; ++in_place) {
#define CASE(called, given_count, got_count, call)                                    \
  memset(receive, 0, bytes);                                                          \
  if (in_place) memcpy(receive, send, extent*(size_t)(given_count));                  \
  call;                                                                               \
  snprintf(what, sizeof what, "%s %s %s %d%s%s", called, type->name, op->name, count, \
           in_place ? " in place" : "", form_names[form]);                            \
  show(what, type, receive, got_count);
    /* MPICH 4.0.2 loses MPI_IN_PLACE of a root that is not rank 0. */
    const int root = in_place ? 0 : count % size;
    const void* given = in_place ? MPI_IN_PLACE : send;
    CASE(
        "allreduce", count, count,
        COLLECTIVE(Allreduce, allreduce, given, receive, count, type->type, op->op, MPI_COMM_WORLD))
    CASE("reduce", count, rank == root ? count : 0,
         COLLECTIVE(Reduce, reduce, in_place && rank != root ? receive : given, receive, count,
                    type->type, op->op, root, MPI_COMM_WORLD))
    CASE("reduce_scatter_block", count * size, count,
         COLLECTIVE(Reduce_scatter_block, reduce_scatter_block, given, receive, count, type->type,
                    op->op, MPI_COMM_WORLD))
    for (int r = 0; r < size; ++r) counts[r] = r % 2 == 0 ? count : 0;
    CASE("reduce_scatter", count * ((size + 1) / 2), counts[rank],
         COLLECTIVE(Reduce_scatter, reduce_scatter, given, receive, counts, type->type, op->op,
                    MPI_COMM_WORLD))
    CASE("scan", count, count,
         COLLECTIVE(Scan, scan, given, receive, count, type->type, op->op, MPI_COMM_WORLD))
    CASE("exscan", count, rank == 0 ? 0 : count,
         COLLECTIVE(Exscan, exscan, given, receive, count, type->type, op->op, MPI_COMM_WORLD))
#undef CASE
  }
  free(counts);
  free(receive);
  free(send);
}

static void add_up(void* in, void* out, int* count, MPI_Datatype* type) {
  (void)type;
  for (int i = 0; i < *count; ++i) ((int*)out)[i] += 2 * ((int*)in)[i] - ((int*)in)[i];
}

/* All operations, unless the command line names some. */
static int is_asked(const char* op) {
  for (int i = 0; i < asked_count; ++i) {
    if (strcmp(asked[i], op) == 0) return 1;
  }
  return asked_count == 0;
}

static void reduce_all(size_t t, size_t o) {
  enum { prime = 7, large = 20011 };
  const int counts[] = {0, 1, prime, large};
  for (size_t c = 0; c < sizeof counts / sizeof *counts; ++c) {
    if (is_some && counts[c] == large && t % 5 != o % 5) continue;
    for (form = blocking; form < (is_some && counts[c] != prime ? nonblocking : forms); ++form) {
      reduce_all_ways(&types[t], &ops[o], counts[c]);
    }
  }
  form = blocking;
}

static void reduce_by_own_operation(void) {
  MPI_Op own;
  MPI_Op_create(add_up, 1, &own);
  const struct op user = {"user", own};
  const struct type number = {"INT", MPI_INT, INTEGER};
  for (form = blocking; form < forms; ++form) reduce_all_ways(&number, &user, 7);
  form = blocking;
  MPI_Op_free(&own);
}

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  is_some = argc > 2 && strcmp(argv[2], "some") == 0;
  for (int i = is_some ? 3 : 2; i < argc && asked_count < 16; ++i) asked[asked_count++] = argv[i];
  MPI_Init(&argc, &argv);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  for (size_t t = 0; t < type_count; ++t) {
    for (size_t o = 0; o < op_count; ++o) {
      if (fits(&types[t], o) && is_asked(ops[o].name)) reduce_all(t, o);
    }
  }
  if (is_asked("user")) reduce_by_own_operation();
  report_write(argv[1]);
  MPI_Finalize();
  return 0;
}
