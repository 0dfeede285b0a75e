#pragma once

// Lists and ranges of numbers on the command line, and numbers with units for people.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/units.hpp"

namespace rondo::cli {

/// "8", "3,5,8", or "4:64M", which multiplies by `factor`, or "4:64M:8". K, M and G are powers of
/// 1024, and KiB, MiB and GiB are the same. `what` names the numbers in the UsageError.
std::vector<std::uint64_t> parse_amounts(std::string_view what, std::string_view text,
                                         std::uint64_t low, std::uint64_t high,
                                         std::uint64_t factor);

/// A number that may have a fraction; at least 0.
double parse_real(std::string_view what, std::string_view text);

}  // namespace rondo::cli
