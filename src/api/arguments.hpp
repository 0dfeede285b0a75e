#pragma once

// What no rank could carry out is refused before anything moves. All of these throw
// Error{invalid_argument} with a text that says what was wrong.

#include <vector>

#include "rondo/erased_call.hpp"

namespace rondo {

void check_arguments(const ErasedCall& call, int rank, int size);
/// The same of a call that was found right, but for its buffers.
void check_buffers(const ErasedCall& call, int rank, int size);

void check_arguments(const std::vector<Message>& messages, int rank, int size);

}  // namespace rondo
