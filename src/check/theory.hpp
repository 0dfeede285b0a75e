#pragma once

// What the literature promises of each schedule, in closed form. Nothing here looks at a generator.

#include <cstdint>
#include <string_view>

#include "rondo/schedule.hpp"

namespace rondo {

struct Theory {
  std::uint32_t segments = 1;    ///< of the vector
  std::uint32_t rounds = 0;      ///< longest chain of messages
  std::uint64_t max_sent = 0;    ///< most segments that any one rank sends
  std::uint64_t total_sent = 0;  ///< segments that all ranks send
  std::uint64_t steps = 0;       ///< of all ranks: two a message, and local ones
};

/// The plan has passed check_plan().
Theory theory(const Plan& plan);

/// The same as formulas of p (ranks), k (radix) and n (bytes of the vector), for tables; where
/// there are groups, of H (groups), L (ranks of the largest) and S (stripes).
struct Formula {
  std::string_view rounds;
  std::string_view sent;  ///< by the busiest rank
};
Formula formula_of(const Plan& plan);

/// Whether the plan lets rank `from` send to rank `to` on this channel.
bool is_planned_link(const Plan& plan, int from, int to, int channel);

}  // namespace rondo
