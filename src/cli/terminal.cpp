#include "cli/terminal.hpp"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

namespace rondo::cli {

namespace {

constexpr std::size_t waiting_bytes_most = 1 << 16;

}  // namespace

TerminalRelay::TerminalRelay(int terminal, Descriptor pipe)
    : terminal_(terminal), pipe_(std::move(pipe)) {
  set_nonblocking(pipe_);
}

bool TerminalRelay::may_read() const {
  return pipe_ && !ended_ && waiting_.size() < waiting_bytes_most &&
         ::tcgetpgrp(terminal_) == ::getpgrp();
}

void TerminalRelay::read() {
  std::array<char, 4096> buffer;
  const ssize_t count = ::read(terminal_, buffer.data(), buffer.size());
  if (count > 0) waiting_.append(buffer.data(), static_cast<std::size_t>(count));
  if (count == 0 || (count < 0 && errno != EINTR && errno != EAGAIN)) ended_ = true;
  write();
}

void TerminalRelay::write() {
  while (has_waiting()) {
    const ssize_t count = ::write(pipe_.fd(), waiting_.data(), waiting_.size());
    if (count >= 0) {
      waiting_.erase(0, static_cast<std::size_t>(count));
    } else if (errno == EAGAIN) {
      return;
    } else if (errno != EINTR) {
      pipe_.close();  // rank 0 does not listen any more
    }
  }
  if (ended_) pipe_.close();
}

}  // namespace rondo::cli
