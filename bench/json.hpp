#pragma once

// The JSON file of a run: configuration, ranks, results with medians and p99, and the summary.

#include <string>
#include <vector>

#include "bench/table.hpp"

namespace rondo::bench {

struct Report {
  std::string library;
  std::vector<std::string> ranks;  ///< a line for each
  std::vector<Line> lines;
  Summary summary;
};

std::string to_json(const Report& report, const Options& options);

}  // namespace rondo::bench
