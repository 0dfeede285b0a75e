#pragma once

// What differs between versions of PyTorch, and all of its headers that this folder includes.

#include <ATen/ATen.h>
#include <ATen/ThreadLocalState.h>
#include <c10/core/CPUAllocator.h>
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

}  // namespace rondo_torch
