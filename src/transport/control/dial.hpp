#pragma once

// One connection on its way: connect, say hello, hear the answer; again from the start while
// nobody answers.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "transport/control/frame.hpp"
#include "transport/tcp/socket.hpp"

namespace rondo::process {

class Dial {
 public:
  /// Sockets are added to `epoll` (edge-triggered) with `tag`.
  Dial(Address address, const Hello& hello, int epoll, std::uint64_t tag)
      : address_(std::move(address)), hello_(hello), epoll_(epoll), tag_(tag) {}

  /// Goes on as far as possible without waiting. The connection once it is through, until then an
  /// empty Socket. Nobody answering is no error here: the peer may be about to.
  /// Errors: resource, io; protocol (the other side speaks another version); unsupported, when for
  /// a while knock() has said so: a peer that has just died is better told of by others.
  Result<Socket> advance(Clock::time_point now);

  bool is_at_door() const { return address_.door != 0; }

 private:
  bool is_final(const Error& error, Clock::time_point now);
  void start_again(Clock::time_point now);
  bool send_hello();
  Result<bool> receive_answer();

  Address address_;
  Hello hello_;
  int epoll_;
  std::uint64_t tag_;
  Socket socket_;
  bool connected_ = false;
  std::size_t sent_ = 0;
  Hello answer_;
  std::size_t received_ = 0;
  Clock::time_point next_attempt_ = {};
  std::chrono::milliseconds pause_{1};
  std::optional<Clock::time_point> hopeless_since_;
};

/// "rank 2 speaks version 2 of rondo's protocol, rank 0 version 1; …"
Error other_version(const Hello& theirs, const Hello& ours);

/// Adds a socket to an epoll set, edge-triggered in both directions; gives one that is there
/// already this tag and its next event.
Result<> watch(int epoll, int fd, std::uint64_t tag);

}  // namespace rondo::process
