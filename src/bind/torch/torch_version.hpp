#pragma once

// What differs between versions of PyTorch, and all of its headers that this folder includes.

#include <ATen/ATen.h>
#include <ATen/ThreadLocalState.h>
#include <c10/core/CPUAllocator.h>
#include <c10/core/Event.h>
#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <torch/version.h>
#include <torch/csrc/distributed/c10d/Backend.hpp>
#include <torch/csrc/distributed/c10d/Store.hpp>
#include <torch/csrc/distributed/c10d/Types.hpp>
#include <torch/csrc/distributed/c10d/Work.hpp>

#if TORCH_VERSION_MAJOR < 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR < 5)
#error "rondo's backend needs PyTorch 2.5 or newer"
#endif

namespace rondo_torch {

/// What a storage holds, to be changed in place.
inline at::DataPtr& mutable_data_ptr_of(at::StorageImpl& storage) {
  return storage._mutable_data_ptr_no_checks();
}

#if TORCH_VERSION_MAJOR > 2 || TORCH_VERSION_MINOR >= 13
using Factor = c10d::PreMulSumSupplement;
#else
using Factor = c10d::NCCLPreMulSumSupplement;
#endif

/// The device's own name of a stream: of a CUDA stream, its cudaStream_t.
inline void* native_handle_of(const c10::Stream& stream) {
#if TORCH_VERSION_MAJOR > 2 || TORCH_VERSION_MINOR >= 11
  return stream.native_handle();
#else
  TORCH_CHECK(false, "rondo takes tensors on ", stream.device(),
              " with PyTorch 2.11 or newer; this is ", TORCH_VERSION);
#endif
}

}  // namespace rondo_torch
