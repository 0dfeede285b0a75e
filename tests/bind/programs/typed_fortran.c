/* typed.h for Fortran, whose handles of types and operations are numbers. */

#include "typed.h"

static const struct type* type_of(int handle) {
  const MPI_Datatype wanted = MPI_Type_f2c(handle);
  for (size_t t = 0; t < type_count; ++t) {
    if (types[t].type == wanted) return &types[t];
  }
  fprintf(stderr, "Fortran's type %d is none that C has\n", handle);
  abort();
}

static size_t number_of(int handle) {
  const MPI_Op wanted = MPI_Op_f2c(handle);
  for (size_t o = 0; o < op_count; ++o) {
    if (ops[o].op == wanted) return o;
  }
  fprintf(stderr, "Fortran's operation %d is none that C has\n", handle);
  abort();
}

int typed_fits(int type, int op) {
  return fits(type_of(type), number_of(op));
}

void typed_fill(int type, int op, void* data, int count, int rank) {
  fill(type_of(type), (unsigned char*)data, count, rank, range_of(ops[number_of(op)].op));
}

/* "call TYPE OPERATION COUNT", and which form. */
void typed_show(const char* call, int type, int op, int count, int form, void* data, int elements) {
  static const char* const forms[] = {"", " nonblocking", " persistent"};
  char what[128];
  snprintf(what, sizeof what, "%s %s %s %d%s", call, type_of(type)->name, ops[number_of(op)].name,
           count, forms[form]);
  show(what, type_of(type), (unsigned char*)data, elements);
}

void typed_write(const char* path) {
  report_write(path);
}
