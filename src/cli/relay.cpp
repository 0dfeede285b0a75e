#include "cli/relay.hpp"

#include <limits.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

namespace rondo::cli {

namespace {

// A line longer than this is passed on in parts, so that a stream without lines needs no end of
// memory.
constexpr std::size_t line_bytes_most = 1 << 20;

bool is_regular_file(int fd) {
  struct stat status = {};
  return ::fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
}

bool is_writable_now(int fd) {
  pollfd entry = {fd, POLLOUT, 0};
  return ::poll(&entry, 1, 0) > 0;
}

}  // namespace

Sink::Sink(int fd) : fd_(fd), never_blocks_(is_regular_file(fd)) {}

void Sink::flush() {
  std::size_t done = 0;
  while (done < waiting_.size() && !broken_) {
    // The stream is shared with whoever started us, so it must not become nonblocking; but a pipe
    // that is writable takes this much at once.
    if (!never_blocks_ && !is_writable_now(fd_)) break;
    const std::size_t rest = waiting_.size() - done;
    const std::size_t part = never_blocks_ ? rest : std::min<std::size_t>(rest, PIPE_BUF);
    const ssize_t count = ::write(fd_, waiting_.data() + done, part);
    if (count >= 0) {
      done += static_cast<std::size_t>(count);
    } else if (errno == EAGAIN) {
      break;
    } else if (errno != EINTR) {
      broken_ = true;
    }
  }
  waiting_.erase(0, broken_ ? waiting_.size() : done);
}

LineRelay::LineRelay(Descriptor source, std::string prefix, Sink& sink)
    : source_(std::move(source)), prefix_(std::move(prefix)), sink_(&sink) {
  set_nonblocking(source_);
}

void LineRelay::read() {
  std::array<char, 65536> buffer;
  while (may_read()) {
    const ssize_t count = ::read(source_.fd(), buffer.data(), buffer.size());
    if (count > 0) {
      line_.append(buffer.data(), static_cast<std::size_t>(count));
      pass_lines();
    } else if (count < 0 && errno == EINTR) {
      continue;
    } else if (count < 0 && errno == EAGAIN) {
      return;
    } else {
      if (!line_.empty()) pass(std::exchange(line_, {}));
      close();
    }
  }
}

void LineRelay::close() {
  source_.close();
}

void LineRelay::pass_lines() {
  std::string_view rest = line_;
  for (;;) {
    std::size_t end = rest.find_first_of("\r\n");
    if (end == std::string_view::npos) break;
    if (rest[end] == '\r') {
      if (end + 1 == rest.size()) break;  // a newline may follow, which belongs to it
      if (rest[end + 1] == '\n') ++end;
    }
    pass(rest.substr(0, end + 1));
    rest.remove_prefix(end + 1);
  }
  while (rest.size() > line_bytes_most) {
    pass(rest.substr(0, line_bytes_most));
    rest.remove_prefix(line_bytes_most);
  }
  line_.erase(0, line_.size() - rest.size());
}

void LineRelay::pass(std::string_view line) {
  sink_->put(prefix_);
  sink_->put(line);
  const bool ended = line.ends_with('\n') || line.ends_with('\r');
  if (!ended && !prefix_.empty()) sink_->put("\n");
}

}  // namespace rondo::cli
