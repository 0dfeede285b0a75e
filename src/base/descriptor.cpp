#include "base/descriptor.hpp"

#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "base/text.hpp"

namespace rondo {

void Descriptor::close() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

Error system_error(std::string_view what, int number) {
  const std::string reason = std::generic_category().message(number);
  switch (number) {
    case EMFILE:
      return Error(ErrorCode::resource,
                   concat(what, ": ", reason, "; raise this process's limit (ulimit -n)"));
    case ENFILE:
      return Error(ErrorCode::resource,
                   concat(what, ": ", reason, "; raise the system's limit (sysctl fs.file-max)"));
    case EADDRNOTAVAIL:
      return Error(
          ErrorCode::resource,
          concat(what, ": ", reason, "; the address is not of this host, or its ports ran out"));
    case EADDRINUSE:
    case ENOMEM:
    case ENOBUFS:
      return Error(ErrorCode::resource, concat(what, ": ", reason));
    default:
      return Error(ErrorCode::io, concat(what, ": ", reason));
  }
}

}  // namespace rondo
