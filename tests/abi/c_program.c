/* A program in C that uses what only C says in its own way: initialisers, structures with a size, a
 * plan of its own, and texts. Compiled as C99 and as C11. */

#include "rondo/rondo.h"

#include <stdio.h>
#include <string.h>

static int failures = 0;

static void expect(int holds, const char* what, const rondo_comm* comm) {
  if (holds) return;
  fprintf(stderr, "not so: %s (%s)\n", what, rondo_last_error(comm));
  ++failures;
}

static void expect_text(rondo_status status, char** text, const char* part,
                        const rondo_comm* comm) {
  expect(status == RONDO_OK && strstr(*text, part) != NULL, part, comm);
  if (status == RONDO_OK) rondo_string_free(*text);
}

int main(void) {
  rondo_options options = RONDO_OPTIONS_INIT;
  options.algorithms[RONDO_SCAN] = RONDO_CHAIN;
  rondo_comm* comm = NULL;
  expect(rondo_comm_local(1, &options, &comm) == RONDO_OK, "a world of one", NULL);
  if (comm == NULL) return 1;

  float values[4] = {1, 2, 3, 4};
  rondo_call call = RONDO_CALL_INIT;
  call.collective = RONDO_ALLREDUCE;
  call.send = call.receive = values;
  call.count = 4;
  call.dtype = RONDO_F32;
  rondo_plan plan = RONDO_PLAN_INIT;
  expect(rondo_run(comm, &call, &plan) == RONDO_INVALID_ARGUMENT, "a plan names an algorithm",
         comm);
  plan.algorithm = RONDO_RING;
  expect(rondo_run(comm, &call, &plan) == RONDO_OK, "a ring of one", comm);
  expect(rondo_run(comm, &call, NULL) == RONDO_OK, "the planner's choice", comm);
  expect(values[3] == 4, "values stay", comm);

  char* text = NULL;
  expect_text(rondo_topology(comm, &text), &text, "rondo topology 1\n", comm);
  expect_text(rondo_costs(comm, &text), &text, "rondo costs 1\n", comm);
  const size_t counts[1] = {3};
  expect_text(rondo_explainv(comm, RONDO_ALLGATHER, counts, RONDO_F32, &text), &text,
              "allgatherv of f32 (12 B in all) among 1 ranks", comm);
  rondo_comm_free(comm);
  return failures == 0 ? 0 : 1;
}
