/* One element of more than 2 GiB: the same MiB so often where it is sent, a row where it arrives.
 * Writes what of it arrived. On two ranks.
 *
 * usage: large RESULT */

#include "report.h"

enum { piece = 1 << 20, pieces = 2049 };

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  MPI_Init(&argc, &argv);
  int rank = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Datatype mega;
  MPI_Datatype all;
  MPI_Type_contiguous(piece, MPI_BYTE, &mega);
  MPI_Type_create_hvector(pieces, 1, rank == 0 ? 0 : piece, mega, &all);
  MPI_Type_commit(&all);
  const size_t bytes = (size_t)piece * (rank == 0 ? 1 : pieces);
  unsigned char* data = (unsigned char*)malloc(bytes);
  if (data == NULL) abort();
  if (rank == 0) {
    for (size_t i = 0; i < bytes; ++i) data[i] = (unsigned char)(i * 31 + i / 256);
  }
  MPI_Bcast(data, 1, all, 0, MPI_COMM_WORLD);
  report_bytes("first", data, piece);
  report_bytes("last", data + bytes - piece, piece);
  /* The ranks still go the same ways. */
  MPI_Bcast(&rank, 1, MPI_INT, 0, MPI_COMM_WORLD);
  report_text("root: %d\n", rank);
  free(data);
  MPI_Type_free(&all);
  MPI_Type_free(&mega);
  report_write(argv[1]);
  MPI_Finalize();
  return 0;
}
