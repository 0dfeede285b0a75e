/* Every reduction × predefined type × operation × count × in place or not, of all operations or
 * those named after the file. Writes what each rank gets to the file; the same program under plain
 * MPI says what that ought to be. */

#include "forms.h"
#include "report.h"

enum kind { INTEGER, FLOATING, LONG_FLOATING, COMPLEX, LONG_COMPLEX, LOGICAL, BYTES, PAIR };

struct type {
  const char* name;
  MPI_Datatype type;
  enum kind kind;
};

struct op {
  const char* name;
  MPI_Op op;
};

static int rank, size;

/* Small numbers, which every type can hold and every order of adding gives the same sum of. */
static int value(int of_rank, int index) {
  return (of_rank * 3 + index * 7 + 1) % 5 - (index % 3 == 0 ? 1 : 0);
}

static void put_integer(unsigned char* at, size_t bytes, long long number) {
  for (size_t i = 0; i < bytes; ++i) {
    at[i] = (unsigned char)((unsigned long long)number >> (8 * (i < 8 ? i : 7)));
  }
}

/* Products need small factors. MPIs take some unsigned types for signed ones in minima and maxima,
 * or the other way round, and sums of short ones do not wrap in all: extremes.c has those. */
enum range { ANY, FACTORS, NATURAL };

static void fill(const struct type* type, unsigned char* data, int count, int of_rank,
                 enum range range) {
  MPI_Aint begin, extent;
  int bytes;
  MPI_Type_get_extent(type->type, &begin, &extent);
  MPI_Type_size(type->type, &bytes);
  memset(data, 0, (size_t)extent * (size_t)count);
  for (int i = 0; i < count; ++i) {
    unsigned char* at = data + (size_t)extent * (size_t)i;
    int number = value(of_rank, i);
    if (range == FACTORS) number = (of_rank + i) % 4 == 0 ? 2 : 1;
    if (number < 0 && (range == NATURAL || bytes < 4)) number = 3;
    switch (type->kind) {
      case INTEGER:
        /* Those of 32 and 64 bits wrap. */
        put_integer(at, (size_t)bytes,
                    bytes >= 4 && range == ANY && i % 2 == 1 ? number * 0x3fffffffLL : number);
        break;
      case BYTES:
      case LOGICAL:
        put_integer(at, (size_t)bytes, type->kind == BYTES ? number : number & 1);
        break;
      case FLOATING:
      case COMPLEX:
        for (int part = 0; part < (type->kind == COMPLEX ? 2 : 1); ++part) {
          const int each = type->kind == COMPLEX ? bytes / 2 : bytes;
          const float narrow = (float)(number + part);
          const double wide = number + part;
          if (each == 4) memcpy(at + 4 * part, &narrow, 4);
          if (each == 8) memcpy(at + 8 * part, &wide, 8);
        }
        break;
      case LONG_FLOATING:
      case LONG_COMPLEX:
        for (int part = 0; part < (type->kind == LONG_COMPLEX ? 2 : 1); ++part) {
          const long double wide = number + part;
          memcpy(at + 16 * part, &wide, 10);
        }
        break;
      case PAIR: {
        const int place = of_rank;
        if (type->type == MPI_FLOAT_INT) {
          const float first = (float)number;
          memcpy(at, &first, 4);
        } else if (type->type == MPI_DOUBLE_INT) {
          const double first = number;
          memcpy(at, &first, 8);
        } else if (type->type == MPI_LONG_DOUBLE_INT) {
          const long double first = number;
          memcpy(at, &first, 10);
        } else {
          put_integer(at, (size_t)bytes - 4, number);
        }
        memcpy(at + (type->type == MPI_SHORT_INT ? 4 : (size_t)bytes - 4), &place, 4);
        break;
      }
    }
  }
}

/* Long doubles have bytes that mean nothing. */
static void show(const char* what, const struct type* type, unsigned char* data, int count) {
  MPI_Aint begin, extent;
  MPI_Type_get_extent(type->type, &begin, &extent);
  if (type->kind == LONG_FLOATING || type->kind == LONG_COMPLEX) {
    for (size_t at = 0; at < (size_t)extent * (size_t)count; at += 16) memset(data + at + 10, 0, 6);
  }
  if (type->kind != PAIR) {
    report_bytes(what, data, (size_t)extent * (size_t)count);
    return;
  }
  uint64_t hash = 0;
  for (int i = 0; i < count; ++i) {
    const unsigned char* at = data + (size_t)extent * (size_t)i;
    int bytes;
    MPI_Type_size(type->type, &bytes);
    const size_t first = type->type == MPI_LONG_DOUBLE_INT ? 10 : (size_t)bytes - 4;
    const size_t second = type->type == MPI_SHORT_INT ? 4 : (size_t)bytes - 4;
    hash = hash * 31 + report_hash(at, first) + 17 * report_hash(at + second, 4);
  }
  report_text("%s: %016llx\n", what, (unsigned long long)hash);
}

static void reduce_all_ways(const struct type* type, const struct op* op, int count) {
  MPI_Aint begin, extent;
  MPI_Type_get_extent(type->type, &begin, &extent);
  const size_t bytes = (size_t)extent * (size_t)(count * size + 1);
  unsigned char* send = (unsigned char*)malloc(bytes);
  unsigned char* receive = (unsigned char*)malloc(bytes);
  int* counts = (int*)malloc((size_t)size * sizeof(int));
  const int is_order = op->op == MPI_MIN || op->op == MPI_MAX;
  const enum range range = op->op == MPI_PROD ? FACTORS : is_order ? NATURAL : ANY;
  char what[128];
  for (int in_place = 0; in_place < 2; ++in_place) {
#define CASE(called, given_count, got_count, call)                                    \
  fill(type, send, given_count, rank, range);                                         \
  memset(receive, 0, bytes);                                                          \
  if (in_place) memcpy(receive, send, (size_t)extent*(size_t)(given_count));          \
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

#define T(name, kind) \
  { #name, MPI_##name, kind }
static const struct type types[] = {T(SIGNED_CHAR, INTEGER),
                                    T(UNSIGNED_CHAR, INTEGER),
                                    T(SHORT, INTEGER),
                                    T(UNSIGNED_SHORT, INTEGER),
                                    T(INT, INTEGER),
                                    T(UNSIGNED, INTEGER),
                                    T(LONG, INTEGER),
                                    T(UNSIGNED_LONG, INTEGER),
                                    T(LONG_LONG, INTEGER),
                                    T(UNSIGNED_LONG_LONG, INTEGER),
                                    T(INT8_T, INTEGER),
                                    T(UINT8_T, INTEGER),
                                    T(INT16_T, INTEGER),
                                    T(UINT16_T, INTEGER),
                                    T(INT32_T, INTEGER),
                                    T(UINT32_T, INTEGER),
                                    T(INT64_T, INTEGER),
                                    T(UINT64_T, INTEGER),
                                    T(AINT, INTEGER),
                                    T(OFFSET, INTEGER),
                                    T(COUNT, INTEGER),
                                    T(INTEGER, INTEGER),
                                    T(INTEGER1, INTEGER),
                                    T(INTEGER2, INTEGER),
                                    T(INTEGER4, INTEGER),
                                    T(INTEGER8, INTEGER),
                                    T(FLOAT, FLOATING),
                                    T(DOUBLE, FLOATING),
                                    T(REAL, FLOATING),
                                    T(DOUBLE_PRECISION, FLOATING),
                                    T(REAL4, FLOATING),
                                    T(REAL8, FLOATING),
                                    T(LONG_DOUBLE, LONG_FLOATING),
                                    T(C_FLOAT_COMPLEX, COMPLEX),
                                    T(C_DOUBLE_COMPLEX, COMPLEX),
                                    T(COMPLEX, COMPLEX),
                                    T(DOUBLE_COMPLEX, COMPLEX),
                                    T(C_LONG_DOUBLE_COMPLEX, LONG_COMPLEX),
                                    T(C_BOOL, LOGICAL),
                                    T(CXX_BOOL, LOGICAL),
                                    T(LOGICAL, LOGICAL),
                                    T(BYTE, BYTES),
                                    T(FLOAT_INT, PAIR),
                                    T(DOUBLE_INT, PAIR),
                                    T(LONG_INT, PAIR),
                                    T(2INT, PAIR),
                                    T(SHORT_INT, PAIR),
                                    T(LONG_DOUBLE_INT, PAIR)};
static const struct op ops[] = {{"sum", MPI_SUM},   {"prod", MPI_PROD},     {"min", MPI_MIN},
                                {"max", MPI_MAX},   {"land", MPI_LAND},     {"lor", MPI_LOR},
                                {"lxor", MPI_LXOR}, {"band", MPI_BAND},     {"bor", MPI_BOR},
                                {"bxor", MPI_BXOR}, {"minloc", MPI_MINLOC}, {"maxloc", MPI_MAXLOC}};

/* Whether MPI has operation number `o` for the type. */
static int fits(const struct type* type, size_t o) {
  const int is_logical = o >= 4 && o < 7;
  switch (type->kind) {
    case PAIR:
      return o >= 10;
    case BYTES:
      return o >= 7 && o < 10;
    case LOGICAL:
      return is_logical;
    case INTEGER:
      return o < 10 && !(is_logical && strncmp(type->name, "INTEGER", 7) == 0);
    case COMPLEX:
    case LONG_COMPLEX:
      return o < 2;
    default:
      return o < 4;
  }
}

/* Whether the command line asks for the operation: all of them, unless it names some. */
static int is_asked(const char* op, int argc, char** argv) {
  for (int i = 2; i < argc; ++i) {
    if (strcmp(argv[i], op) == 0) return 1;
  }
  return argc == 2;
}

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  MPI_Init(&argc, &argv);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  const int large = 20011;
  const int counts[] = {0, 1, 7, large};
  for (size_t t = 0; t < sizeof types / sizeof *types; ++t) {
    for (size_t o = 0; o < sizeof ops / sizeof *ops; ++o) {
      if (!fits(&types[t], o) || !is_asked(ops[o].name, argc, argv)) continue;
      for (size_t c = 0; c < sizeof counts / sizeof *counts; ++c) {
        if (counts[c] == large && t % 5 != o % 5) continue;
        for (form = blocking; form < (counts[c] == 7 ? forms : nonblocking); ++form) {
          reduce_all_ways(&types[t], &ops[o], counts[c]);
        }
        form = blocking;
      }
    }
  }
  if (is_asked("user", argc, argv)) {
    MPI_Op own;
    MPI_Op_create(add_up, 1, &own);
    const struct op user = {"user", own};
    for (form = blocking; form < forms; ++form) reduce_all_ways(&types[4], &user, 7);
    MPI_Op_free(&own);
  }
  report_write(argv[1]);
  MPI_Finalize();
  return 0;
}
