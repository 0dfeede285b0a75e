/* The same library from C.
 *
 *   rondo run -n 4 c_api
 */

#include <rondo/rondo.h>

#include <stdio.h>

static int fail(const rondo_comm* comm, rondo_status status) {
  fprintf(stderr, "c_api: %s: %s\n", rondo_status_name(status), rondo_last_error(comm));
  return 1;
}

int main(void) {
  rondo_options options = RONDO_OPTIONS_INIT;
  options.timeout_ms = 10000;

  rondo_comm* comm = NULL;
  rondo_status status = rondo_comm_from_env(&options, &comm);
  if (status != RONDO_OK) return fail(NULL, status);

  float values[8];
  for (int i = 0; i < 8; ++i) values[i] = (float)(rondo_comm_rank(comm) + 1);

  rondo_work* work = NULL; /* `values` belongs to the library until the work is done */
  status = rondo_iallreduce(comm, RONDO_IN_PLACE, values, 8, RONDO_F32, RONDO_SUM, &work);
  if (status == RONDO_OK) status = rondo_work_wait(work);
  if (status != RONDO_OK) {
    fail(comm, status);
  } else if (rondo_comm_rank(comm) == 0) {
    printf("the sum of 1 to %d is %g\n", (int)rondo_comm_size(comm), (double)values[0]);
  }
  rondo_work_free(work);
  rondo_comm_free(comm);
  return status == RONDO_OK ? 0 : 1;
}
