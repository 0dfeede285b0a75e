#pragma once

// The launch of kernels.

#include <cuda_runtime_api.h>

#include "device/kernels/walk.hpp"

namespace rondo {

/// The operation must exist for the type, as it does where arguments_of() made the arguments.
cudaError_t launch_reduce(DType dtype, Op op, const ReduceArguments& arguments, unsigned blocks,
                          cudaStream_t stream);
/// `count` copies, side by side in `blocks` thread blocks each.
cudaError_t launch_copies(const CopyArguments& arguments, unsigned count, unsigned blocks,
                          cudaStream_t stream);
inline constexpr unsigned threads_of_a_block = 512;

}  // namespace rondo
