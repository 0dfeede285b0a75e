#pragma once

// Rank 0's side of forming a world: one poll loop over all connections.

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "bootstrap/roll_call.hpp"
#include "bootstrap/wire.hpp"
#include "transport/tcp/socket.hpp"

namespace rondo {

/// Gathers the hellos of a job. Whoever does not say a hello with the job's key within two seconds
/// is closed without a word, and at most 64 connections may be that undecided at a time: port
/// scanners, lost browsers and slow writers cost a file descriptor each and change nothing.
class Gathering {
 public:
  using Clock = process::Clock;

  Gathering(process::Socket listener, wire::Hello own, Clock::time_point start,
            Clock::time_point deadline);

  /// Until all came and agree. The deadline is the earliest of all that came, so that nobody is
  /// gone when the verdict is told. After a first disagreement only a moment is left for others to
  /// come, so that the verdict names all of them.
  Result<> gather();
  /// Who came, where the world is complete. The address of a rank that listens on all interfaces
  /// is the one that its connection came from.
  std::vector<process::Member> members() const;
  /// Sends the same bytes to everybody who waits for the verdict. A rank that takes nothing for a
  /// while loses it; the others don't wait for it longer than that.
  void tell(std::span<const std::byte> verdict);

 private:
  enum class Stage : std::uint8_t { undecided, present, disagrees };
  struct Connection {
    process::Socket socket;
    Stage stage = Stage::undecided;
    Clock::time_point deadline = {};
    wire::Bytes received = {};
    std::size_t wanted = wire::hello_header_bytes;
    wire::Hello hello = {};
  };
  enum class Progress : std::uint8_t { waiting, complete, useless };

  Result<> wait();
  Result<> accept_all();
  void admit(process::Socket socket);
  void advance(int fd);
  Progress receive(Connection& connection);
  bool accept_header(Connection& connection);
  void answer(int fd);
  void drop(int fd);
  void drop_undecided(int fd);
  void drop_expired(Clock::time_point now);

  process::Socket listener_;
  process::Socket epoll_;
  wire::Hello own_;
  RollCall roll_call_;
  Clock::time_point start_;
  Clock::time_point deadline_;
  bool shortened_ = false;                 ///< the deadline, because of a disagreement
  std::map<int, Connection> connections_;  ///< by file descriptor
  std::vector<int> undecided_;             ///< file descriptors, oldest first
  std::vector<int> fd_of_rank_;            ///< -1 where nobody is present
};

}  // namespace rondo
