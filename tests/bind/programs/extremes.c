/* Sums that wrap, and minima and maxima of the largest and smallest numbers, compared with what
 * they ought to be: MPIs get some of them wrong, so they cannot say. Exit code 1 when one is wrong.
 */

#include <mpi.h>
#include <stdint.h>
#include <stdio.h>

static int rank, size, wrong;

#define CHECK(T, mpi_type, low, high)                                               \
  do {                                                                              \
    const T values[4] = {(T)(high), (T)(low), (T)1, (T)(high - 1)};                 \
    T mine[67];                                                                     \
    T sums[67];                                                                     \
    T least[67];                                                                    \
    T most[67];                                                                     \
    for (int i = 0; i < 67; ++i) mine[i] = values[(i + rank) % 4];                  \
    MPI_Allreduce(mine, sums, 67, mpi_type, MPI_SUM, MPI_COMM_WORLD);               \
    MPI_Allreduce(mine, least, 67, mpi_type, MPI_MIN, MPI_COMM_WORLD);              \
    MPI_Allreduce(mine, most, 67, mpi_type, MPI_MAX, MPI_COMM_WORLD);               \
    for (int i = 0; i < 67; ++i) {                                                  \
      uint64_t sum = 0;                                                             \
      T low_one = values[i % 4];                                                    \
      T high_one = values[i % 4];                                                   \
      for (int r = 0; r < size; ++r) {                                              \
        const T value = values[(i + r) % 4];                                        \
        sum += (uint64_t)value;                                                     \
        if (value < low_one) low_one = value;                                       \
        if (value > high_one) high_one = value;                                     \
      }                                                                             \
      if (sums[i] != (T)sum || least[i] != low_one || most[i] != high_one) {        \
        if (wrong++ == 0) fprintf(stderr, "wrong: %s, element %d\n", #mpi_type, i); \
      }                                                                             \
    }                                                                               \
  } while (0)

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  CHECK(int8_t, MPI_INT8_T, INT8_MIN, INT8_MAX);
  CHECK(uint8_t, MPI_UINT8_T, 0, UINT8_MAX);
  CHECK(int16_t, MPI_INT16_T, INT16_MIN, INT16_MAX);
  CHECK(uint16_t, MPI_UINT16_T, 0, UINT16_MAX);
  CHECK(int32_t, MPI_INT32_T, INT32_MIN, INT32_MAX);
  CHECK(uint32_t, MPI_UINT32_T, 0, UINT32_MAX);
  CHECK(int64_t, MPI_INT64_T, INT64_MIN, INT64_MAX);
  CHECK(uint64_t, MPI_UINT64_T, 0, UINT64_MAX);
  CHECK(signed char, MPI_SIGNED_CHAR, INT8_MIN, INT8_MAX);
  CHECK(unsigned long, MPI_UNSIGNED_LONG, 0, UINT64_MAX);
  CHECK(unsigned long long, MPI_UNSIGNED_LONG_LONG, 0, UINT64_MAX);
  CHECK(MPI_Offset, MPI_OFFSET, INT64_MIN, INT64_MAX);
  CHECK(MPI_Aint, MPI_AINT, INT64_MIN, INT64_MAX);
  CHECK(MPI_Count, MPI_COUNT, INT64_MIN, INT64_MAX);
  MPI_Finalize();
  return wrong > 0 ? 1 : 0;
}
