#pragma once

// A connection over which two ranks tell each other notices.

#include <cstddef>
#include <deque>

#include "transport/control/frame.hpp"
#include "transport/tcp/socket.hpp"

namespace rondo::process {

class ControlLink {
 public:
  ControlLink(int peer, Socket socket) : peer_(peer), socket_(std::move(socket)) {}

  int peer() const { return peer_; }
  bool is_open() const { return static_cast<bool>(socket_); }

  /// Queues a notice and writes what the connection takes.
  void send(const Notice& notice);
  void flush();
  bool has_unsent() const { return !is_broken_ && !unsent_.empty(); }
  /// Nothing that was sent can be lost any more by the end of this link: the peer's kernel has it
  /// all, or will never have it.
  bool has_arrived() const;
  /// True when a whole notice has arrived; closes the link when the connection has ended.
  bool receive(Notice& notice);
  void close() { socket_.close(); }
  /// Goes on over another connection, with the notices that have not been written whole.
  void replace(Socket socket);
  /// Ends the stream after what was written. Bytes left unread would make the kernel throw away
  /// what the peer has not received yet, so they are read first.
  void finish();

 private:
  int peer_;
  Socket socket_;
  bool is_broken_ = false;  // for writing
  std::deque<Notice> unsent_;
  std::size_t sent_ = 0;  // bytes of the first one
  Notice incoming_;
  std::size_t received_ = 0;
};

}  // namespace rondo::process
