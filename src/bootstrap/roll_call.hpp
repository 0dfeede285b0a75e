#pragma once

// Who came, who is missing and who disagrees: the part of forming a world that needs no socket.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bootstrap/wire.hpp"
#include "rondo/error.hpp"

namespace rondo {

/// "60 s", "300 ms".
std::string to_text(std::chrono::milliseconds duration);

class RollCall {
 public:
  enum class Answer : std::uint8_t {
    present,    ///< it has its place
    returned,   ///< the same, for a rank that tries again: its former connection is void
    disagrees,  ///< the world cannot be formed; it is told so with the others
    duplicate,  ///< its place is taken; it is told why, and the others go on without it
  };

  /// Rank 0 is there from the start, and its hello is what the others are compared with.
  explicit RollCall(wire::Hello own);

  Answer take(const wire::Hello& hello);
  /// A present rank has closed its connection: its place is free again.
  void leave(int rank);

  bool everybody_came() const { return missing_ == 0; }
  bool disagreement() const { return !disagreeing_.empty() || differing_options_; }
  const std::optional<wire::Hello>& present(int rank) const { return present_[index(rank)]; }
  /// Why the duplicate was sent away.
  std::string reason_for_duplicate(const wire::Hello& duplicate) const;
  /// Nothing to say when everybody came and agrees; else join_failed with all that was found.
  Result<> verdict(std::chrono::milliseconds waited, bool time_is_up) const;

 private:
  static std::size_t index(int rank) { return static_cast<std::size_t>(rank); }
  std::optional<std::string> difference(const wire::Hello& hello) const;
  void mark_came(int rank);
  void note(std::string text);
  std::string differing_options() const;

  wire::Hello own_;
  std::vector<std::optional<wire::Hello>> present_;  ///< by rank
  std::vector<bool> came_;                           ///< by rank; also those that disagree
  int missing_ = 0;
  bool differing_options_ = false;
  std::vector<std::string> disagreeing_;
  std::vector<int> disagreeing_ranks_;
  std::vector<std::string> notes_;  ///< what may explain why somebody is missing
};

}  // namespace rondo
