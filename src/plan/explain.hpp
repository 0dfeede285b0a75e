#pragma once

// What the planner decided and why, for people and for programs.

#include <cstdint>
#include <string>

#include "plan/planner.hpp"

namespace rondo {

struct Question {
  Collective collective = Collective::allreduce;
  std::uint64_t bytes = 0;  ///< of the vector
  std::string about;        ///< "allreduce of 1 MiB among 4 ranks over tcp"
  bool uneven = false;      ///< blocks of different lengths
  std::string costs = {};   ///< where they come from; empty where nobody has to be told
};

/// The choice, the reason, the candidates with their predicted times and what these mostly are, the
/// choices for all sizes, and the drawing of a small schedule. Errors: those of Planner::choose().
Result<std::string> explain(Planner& planner, const Question& question);
/// The same for programs, without the drawing.
Result<std::string> explain_json(Planner& planner, const Question& question);

/// The choices for all sizes of one collective, a line each.
Result<std::string> ranges_text(Planner& planner, Collective collective);
/// An array of objects.
Result<std::string> ranges_json(Planner& planner, Collective collective);

}  // namespace rondo
