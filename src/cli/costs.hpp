#pragma once

#include "rondo/simulate.hpp"

namespace rondo::cli {

/// What the link between two ranks on this host costs, measured just now between two threads of
/// this process. Costs that the cache folder has are neither read nor written. Throws Error.
CostTable measure_here(bool tcp);

}  // namespace rondo::cli
