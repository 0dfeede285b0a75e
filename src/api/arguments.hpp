#pragma once

// What no rank could carry out is refused before anything moves. All of these throw
// Error{invalid_argument} with a text that says what was wrong.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "rondo/erased_call.hpp"

namespace rondo {

/// What a rank uses of the buffers of a call.
struct BuffersInUse {
  std::size_t send_bytes = 0;
  std::size_t receive_bytes = 0;
  std::size_t receive_before_send = 0;  ///< bytes, in place; modulo 2^64

  /// Whether two buffers are fit for a call like the one that was found right.
  bool fit(const void* send, const void* receive) const {
    const auto from = reinterpret_cast<std::uintptr_t>(send);
    const auto to = reinterpret_cast<std::uintptr_t>(receive);
    if ((from == 0 && send_bytes > 0) || (to == 0 && receive_bytes > 0)) return false;
    return from >= to + receive_bytes || to >= from + send_bytes || send_bytes == 0 ||
           receive_bytes == 0 || from - to == receive_before_send;
  }
};

BuffersInUse check_arguments(const ErasedCall& call, int rank, int size);

void check_arguments(const std::vector<Message>& messages, int rank, int size);

}  // namespace rondo
