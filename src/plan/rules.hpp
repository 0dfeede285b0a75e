#pragma once

// Decisions that were made elsewhere, by a person or by measuring, as text: one line each,
//
//   COLLECTIVE FROM..TO ALGORITHM [radix K] [channels N] [order ranks|near|weighted] [tile SIZE]
//              [ranks N]
//
// as in `allreduce 32KiB.. ring channels 2 tile 256KiB`. FROM is the smallest vector a line is
// about, TO the first one that it is not about; either may be left out. Of what a line does not
// name the planner takes the fastest. `ranks` keeps it to communicators of this size. A # begins a
// comment.

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "plan/candidates.hpp"

namespace rondo {

struct Rule {
  static constexpr std::uint64_t no_end = std::numeric_limits<std::uint64_t>::max();

  Collective collective = Collective::allreduce;
  std::uint64_t from = 0;
  std::uint64_t to = no_end;  ///< the first size that is not meant
  Pins pins = {};
  std::optional<int> ranks = {};
  int line = 0;  ///< of the text, from 1

  bool covers(Collective what, int world, std::uint64_t bytes) const {
    return collective == what && bytes >= from && (bytes < to || to == no_end) &&
           (!ranks || *ranks == world);
  }
};

/// Errors name the line, what was found there, and what is right.
Result<std::vector<Rule>> parse_rules(std::string_view text);
/// A line of the format; parse_rules() gives the rule again.
std::string to_text(const Rule& rule);
/// The pins of exactly this candidate.
Pins pins_of(const Candidate& candidate);

}  // namespace rondo
