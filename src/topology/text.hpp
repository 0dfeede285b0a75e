#pragma once

// Pieces of topology text that others need, too.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "rondo/topology.hpp"

namespace rondo {

/// The highest number of a PU that is believed: far above any machine, and few enough to list.
inline constexpr int max_pu = (1 << 16) - 1;

/// Topology text separates words by blanks, commas and slashes: anything else becomes '_'.
std::string as_word(std::string_view text);

/// A text as the 16 hexadecimal digits of its hash.
std::string hash_word(std::string_view text);

/// 0-3,8; "?" for none.
std::string ranges(std::span<const int> numbers);

/// "3", or "?".
std::string number_or_unknown(int number);

std::string to_text(const Object& object);  ///< gpu:3

/// That all indices lie inside what they refer to.
Result<> check_references(const Machine& machine);
Result<> check_references(const Topology& topology);

}  // namespace rondo
