#pragma once

// The launch of kernels.

#include <cuda_runtime_api.h>

#include "device/kernels/block_program.hpp"
#include "device/kernels/packets.hpp"
#include "device/kernels/walk.hpp"

namespace rondo {

/// The operation must exist for the type, as it does where arguments_of() made the arguments.
cudaError_t launch_reduce(DType dtype, Op op, const ReduceArguments& arguments, unsigned blocks,
                          cudaStream_t stream);
/// `count` copies, side by side in `blocks` thread blocks each.
cudaError_t launch_copies(const CopyArguments& arguments, unsigned count, unsigned blocks,
                          cudaStream_t stream);
/// As many blocks as the program has slices.
cudaError_t launch_program(DType dtype, Op op, const ProgramArguments& arguments,
                           cudaStream_t stream);
cudaError_t launch_packets(DType dtype, Op op, const PacketArguments& arguments, unsigned blocks,
                           cudaStream_t stream);
/// How many blocks of any of these kernels one multiprocessor of the current device carries out at
/// the same time. All of them are loaded then: what is loaded later waits for the device.
cudaError_t find_resident_blocks(int* blocks);
inline constexpr unsigned threads_of_a_block = 512;

}  // namespace rondo
