#pragma once

/* Collectives in the three forms that MPI has them in. */

#include <mpi.h>

#if defined(OPEN_MPI) && OMPI_MAJOR_VERSION < 5
#include <mpi-ext.h>
#define PERSISTENT(Name) MPIX_##Name##_init
#else
#define PERSISTENT(Name) MPI_##Name##_init
#endif

enum { blocking, nonblocking, persistent, forms };
static const char* const form_names[] = {"", " nonblocking", " persistent"};
/* The one that COLLECTIVE() calls. */
static int form = blocking;

/* COLLECTIVE(Allreduce, allreduce, send, receive, …) */
#define COLLECTIVE(Name, name, ...)                                   \
  do {                                                                \
    MPI_Request request_of_form = MPI_REQUEST_NULL;                   \
    if (form == blocking) {                                           \
      MPI_##Name(__VA_ARGS__);                                        \
    } else if (form == nonblocking) {                                 \
      MPI_I##name(__VA_ARGS__, &request_of_form);                     \
      MPI_Wait(&request_of_form, MPI_STATUS_IGNORE);                  \
    } else {                                                          \
      PERSISTENT(Name)(__VA_ARGS__, MPI_INFO_NULL, &request_of_form); \
      MPI_Start(&request_of_form);                                    \
      MPI_Wait(&request_of_form, MPI_STATUS_IGNORE);                  \
      MPI_Request_free(&request_of_form);                             \
    }                                                                 \
  } while (0)
