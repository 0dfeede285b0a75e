#pragma once

// Descriptors that one process passes to another over a Unix socket.

#include <sys/types.h>

#include <cstddef>
#include <span>

#include "base/descriptor.hpp"

namespace rondo::process {

/// As many descriptors go with one message.
inline constexpr std::size_t most_passed = 128;

/// Passes some bytes, few enough that the socket takes them whole, and some descriptors. 0, or the
/// number of the system's error.
int pass(const Descriptor& socket, std::span<const std::byte> bytes, std::span<const int> passed);

/// Takes what the other side passed, without waiting. The number of bytes; 0 at the end of the
/// conversation; -1 with errno.
ssize_t take_passed(const Descriptor& socket, std::span<std::byte> bytes,
                    std::span<Descriptor> passed);

}  // namespace rondo::process
