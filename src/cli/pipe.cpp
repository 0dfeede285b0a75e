#include "cli/pipe.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace rondo::cli {

Pipe make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw system_error("cannot open a pipe", errno);
  return {Descriptor(ends[0]), Descriptor(ends[1])};
}

Descriptor require(int fd, std::string_view what) {
  if (fd < 0) throw system_error(what, errno);
  return Descriptor(fd);
}

void set_nonblocking(const Descriptor& descriptor) {
  const int flags = ::fcntl(descriptor.fd(), F_GETFL);
  (void)::fcntl(descriptor.fd(), F_SETFL, flags | O_NONBLOCK);
}

}  // namespace rondo::cli
