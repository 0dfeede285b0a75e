#pragma once

// Stands at the listeners: lets in who introduces itself as a member of the world, and nobody else.
// A stranger costs one of a fixed number of places for at most two seconds, and 64 bytes.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "transport/control/frame.hpp"
#include "transport/tcp/socket.hpp"

namespace rondo::process {

/// Somebody who knows the token.
struct Guest {
  Hello hello;
  Socket socket;
};

class Doorman {
 public:
  static constexpr std::size_t most_waiting = 64;
  static constexpr auto patience = std::chrono::seconds(2);

  /// `own` is what this rank says of itself; sockets are added to `epoll`. `door` may be missing.
  Doorman(Socket listener, Socket door, const Hello& own, int epoll);

  /// Accepts and reads what is there without waiting; appends those who introduced themselves.
  void progress(Clock::time_point now, std::vector<Guest>& guests);

  /// Whether somebody has connected and has not introduced itself yet.
  bool is_watching() const { return !waiting_.empty(); }
  /// Connections turned away so far.
  std::uint64_t strangers() const { return strangers_; }
  /// Why connections cannot be accepted at the moment.
  const std::optional<Error>& trouble() const { return trouble_; }

 private:
  enum class Verdict { wait, guest, stranger };
  struct Candidate {
    Socket socket;
    bool is_at_door;
    Clock::time_point since;
    Hello hello;
    std::size_t received = 0;
  };

  void accept(const Socket& listener, Clock::time_point now, std::vector<Guest>& guests);
  bool turn_one_away(const Socket& listener);
  void listen_to_all(Clock::time_point now, std::vector<Guest>& guests);
  Verdict listen_to(Candidate& candidate) const;
  Verdict judge(const Candidate& candidate) const;

  Socket listener_;
  Socket door_;  // for ranks of this host and user, who come to share memory
  Hello own_;
  int epoll_;
  Socket reserve_;  // given up for a moment when descriptors run out, to clear the queue
  std::deque<Candidate> waiting_;  // the longest first
  std::uint64_t strangers_ = 0;
  std::optional<Error> trouble_;
};

}  // namespace rondo::process
