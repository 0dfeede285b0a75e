#pragma once

// Calls as C makes them.

#include <cstddef>
#include <cstdint>

#include "rondo/communicator.hpp"
#include "rondo/rondo.h"

namespace rondo::c {

struct RawBlocks {
  const std::size_t* counts = nullptr;
  const std::size_t* displacements = nullptr;
};
/// The numbers are checked by to_call().
struct RawCall {
  Collective collective;
  const void* send;
  void* receive;
  std::size_t count;  ///< no matter where all ranks give all counts
  rondo_dtype dtype;
  rondo_op op = RONDO_SUM;
  std::int32_t root = 0;
  bool uneven = false;
  RawBlocks send_blocks = {};
  RawBlocks receive_blocks = {};
};

/// Throws Error{invalid_argument}.
ErasedCall to_call(const RawCall& raw, const Communicator& comm);

}  // namespace rondo::c
