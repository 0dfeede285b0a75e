#pragma once

// A small collective as each rank sends all it has to all who want it, in packets: see
// device/kernels/packets.hpp.

#include <cstddef>
#include <vector>

#include "rondo/erased_call.hpp"

namespace rondo {

struct PacketExchange {
  std::vector<const void*> sends;  ///< to each peer; null: nothing
  std::vector<bool> gets;          ///< whether each peer sends something
  const void* own = nullptr;       ///< what this rank would send itself
  std::vector<void*> receives;     ///< what each rank sends; where that is folded, one
  bool folds = false;
  std::size_t bytes = 0;  ///< from each to each
  int divisor = 1;
};

/// Of an even call that has_device_plan().
PacketExchange packets_of(const ErasedCall& call, int rank, int ranks);

}  // namespace rondo
