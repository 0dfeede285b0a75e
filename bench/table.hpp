#pragma once

// The table on standard output: the columns and widths of nccl-tests, so that scripts which read
// its output read this one too, and behind them p50 and p99 of both sides.

#include <string>
#include <string_view>

#include "bench/measure.hpp"

namespace rondo::bench {

/// What a whole run found.
struct Summary {
  std::uint64_t wrong = 0;
  double max_ulp = 0;
  double average_bus_gbps = 0;  ///< plain mean over all lines and both sides
};

std::string table_header();
std::string table_line(const Line& line);
std::string table_footer(const Summary& summary, const Options& options);

/// A number right-aligned in `width` columns: two decimals, fewer where it is too long, then
/// exponential; "N/A" for none.
std::string fit(double value, int width);

}  // namespace rondo::bench
