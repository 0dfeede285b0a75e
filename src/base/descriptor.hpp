#pragma once

// Owned file descriptors, of whatever kind, and the errors of system calls.

#include <string_view>
#include <utility>

#include "rondo/error.hpp"

namespace rondo {

/// Owns one file descriptor.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    if (this != &other) {
      close();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  ~Descriptor() { close(); }

  int fd() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  void close();

 private:
  int fd_ = -1;
};

/// "cannot open a socket: Too many open files; raise the limit (ulimit -n)". Code `resource` where
/// memory, descriptors or ports ran out, else `io`.
Error system_error(std::string_view what, int number);

}  // namespace rondo
