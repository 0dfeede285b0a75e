/* The same in C. */

#include <rondo/rondo.h>

#include <stdio.h>

int main(void) {
  rondo_comm* comm = NULL;
  float value = 2.5f;
  if (rondo_comm_from_env(NULL, &comm) != RONDO_OK) return 1;
  if (rondo_allreduce(comm, RONDO_IN_PLACE, &value, 1, RONDO_F32, RONDO_SUM) != RONDO_OK) return 1;
  printf("%g with rondo %s\n", (double)value, rondo_version_text());
  rondo_comm_free(comm);
  return 0;
}
