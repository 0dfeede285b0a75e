#pragma once

// CUDA's errors as rondo's.

#include <cuda.h>
#include <cuda_runtime_api.h>

#include "rondo/error.hpp"

namespace rondo {

/// "cudaMalloc: out of memory (cudaErrorMemoryAllocation)". CUDA keeps the last error for whoever
/// asks next: this takes it away, unless it is one that stays.
Error cuda_error(const char* call, cudaError_t error);
Error cuda_error(const char* call, CUresult error);

inline Result<> checked(const char* call, cudaError_t error) {
  return error == cudaSuccess ? Result<>() : cuda_error(call, error);
}
inline Result<> checked(const char* call, CUresult error) {
  return error == CUDA_SUCCESS ? Result<>() : cuda_error(call, error);
}

}  // namespace rondo
