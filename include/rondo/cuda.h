#pragma once

/* Collectives of device memory in C99, in the order of a CUDA stream. This header needs none of
 * CUDA's: a cudaStream_t is a struct CUstream_st*. The rules are those of rondo/cuda.hpp, and for
 * all else those of rondo/rondo.h.
 *
 *   rondo_call call = RONDO_CALL_INIT;
 *   call.collective = RONDO_ALLREDUCE;
 *   call.send = call.receive = device_pointer;
 *   call.count = n;
 *   call.dtype = RONDO_F32;
 *   rondo_work* work;
 *   status = rondo_start_on_stream(comm, &call, stream, &work);
 *   // what follows in `stream` finds the sum
 */

#include "rondo/rondo.h"

#ifdef __cplusplus
extern "C" {
#endif

struct CUstream_st;

/* Starts the collective when the stream has come to it; what is given to the stream later waits for
 * its end. Returns at once. NULL is the default stream of the buffers' device. The caller frees
 * *work, when the stream is through with the call: freeing waits. RONDO_UNSUPPORTED without
 * librondo-cuda or a driver. */
RONDO_C_API rondo_status rondo_start_on_stream(rondo_comm* comm, const rondo_call* call,
                                               struct CUstream_st* stream, rondo_work** work);

/* All ranks call it, and it blocks. Sets *connected to 1 where one host has them all and each one's
 * device reaches the memory of all others, and to 0 else, which is no error. */
RONDO_C_API rondo_status rondo_connect_devices(rondo_comm* comm, int32_t device,
                                               int32_t* connected);

/* Collective: what the allocation that `memory` is in holds is used in place from then on, if
 * *shared is 1. Before it is freed, all ranks call rondo_unshare_memory. */
RONDO_C_API rondo_status rondo_share_memory(rondo_comm* comm, const void* memory, int32_t* shared);
RONDO_C_API rondo_status rondo_unshare_memory(rondo_comm* comm, const void* memory);

#ifdef __cplusplus
}
#endif
