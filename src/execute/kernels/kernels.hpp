#pragma once

// What one instruction set has to offer: a kernel for each DType, Op and way to store.

#include <cstddef>

#include "rondo/types.hpp"

namespace rondo {

/// reduce() of one DType and Op, for the number of sources that it was looked up for. count > 0.
using Kernel = void (*)(void* destination, const void* const* sources, std::size_t source_count,
                        std::size_t count, int divisor);

/// reduce_twice() of one DType and Op, of two sources. count > 0.
using TwinKernel = void (*)(void* destination, void* other, const void* const* sources,
                            std::size_t count, int divisor);

/// Indexed by DType and Op; null where is_defined() is false.
using KernelsByOp = Kernel[dtype_count][op_count];
using TwinKernelsByOp = TwinKernel[dtype_count][op_count];

struct KernelTable {
  KernelsByOp two;                 ///< two sources, plain stores
  KernelsByOp many;                ///< any number of sources, plain stores
  KernelsByOp streaming;           ///< any number of sources, non-temporal stores
  TwinKernelsByOp twin;            ///< two sources; plain stores to `other`, else non-temporal ones
  TwinKernelsByOp twin_streaming;  ///< two sources; non-temporal stores to both destinations
};

// Data, not functions: nothing of a file with instructions of its own runs before it is chosen.
extern const KernelTable baseline_kernels;
#if defined(__x86_64__)
extern const KernelTable avx2_kernels;
extern const KernelTable avx512_kernels;
#endif

}  // namespace rondo
