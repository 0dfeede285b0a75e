#pragma once

// What both drawings show: messages and local reductions with their rounds.

#include <cstdint>
#include <string>
#include <vector>

#include "rondo/schedule.hpp"

namespace rondo {

/// Something that gives rank `to` a value: a message, or a local reduction, where `from` is `to`.
struct Arrow {
  int from = 0;
  int to = 0;
  std::uint32_t round = 0;
  std::uint32_t segment = 0;  ///< of the vector: what it is about
  std::uint32_t last = 0;     ///< of a run, which may go round the end of the vector
  bool adds = false;
  bool completes = false;
  std::uint32_t publication = 0;  ///< of the sender

  bool is_local() const { return from == to; }
  /// "3", or "0-1" for a run.
  std::string label() const;
};

struct Scene {
  std::string title;     ///< "ring allreduce of 4 ranks"
  std::string subtitle;  ///< "6 rounds, 4 segments"
  int ranks = 0;
  std::uint32_t rounds = 0;
  std::uint32_t segments = 0;
  std::vector<Arrow> arrows;  ///< by round, then receiver, local reductions last
};

/// Fails for wrong schedules, and for those too large to look at.
Result<Scene> scene_of(const Schedule& schedule);

}  // namespace rondo
