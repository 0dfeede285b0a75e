#pragma once

/* A header that Open MPI's own headers include and Debian does not install. It converts Fortran's
 * handles, which nothing here does. */
