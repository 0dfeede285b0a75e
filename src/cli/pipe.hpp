#pragma once

// Pipes and descriptors that a command cannot do without.

#include <string_view>

#include "base/descriptor.hpp"

namespace rondo::cli {

struct Pipe {
  Descriptor read_end;
  Descriptor write_end;
};

/// Both ends are closed in programs that are started. Throws Error.
Pipe make_pipe();
/// The descriptor, or an Error thrown with errno's reason.
Descriptor require(int fd, std::string_view what);
void set_nonblocking(const Descriptor& descriptor);

}  // namespace rondo::cli
