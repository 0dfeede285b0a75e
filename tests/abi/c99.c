/* rondo.h and cuda.h are C99, and every function of them can be called from there. */

#include "rondo/cuda.h"
#include "rondo/rondo.h"

#include "rondo/cuda.h"
#include "rondo/rondo.h"

rondo_options abi_default_options(void);

rondo_options abi_default_options(void) {
  rondo_options options = RONDO_OPTIONS_INIT;
  return options;
}
