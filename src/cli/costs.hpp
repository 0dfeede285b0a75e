#pragma once

#include <string_view>

#include "rondo/simulate.hpp"

namespace rondo::cli {

/// What the link between two ranks on this host costs, measured just now between two threads of
/// this process, over "shm" or "tcp" as between processes, or over "inproc". Costs that the cache
/// folder has are neither read nor written. Throws Error.
CostTable measure_here(std::string_view transport);

}  // namespace rondo::cli
