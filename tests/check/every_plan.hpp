#pragma once

#include <vector>

#include "check/arranged.hpp"

namespace rondo::testing {

/// All plans for this number of ranks; all roots up to 16 ranks, above that 0, 1, the middle and
/// the last; k-nomial trees of these radices; arrangements.
inline std::vector<Plan> every_plan(int ranks, const std::vector<int>& radices = {2, 3, 4, 8}) {
  std::vector<Plan> plans;
  for (int a = 0; a < algorithm_count; ++a) {
    for (int c = 0; c < collective_count; ++c) {
      const auto algorithm = static_cast<Algorithm>(a);
      const auto collective = static_cast<Collective>(c);
      if (!is_supported(algorithm, collective)) continue;
      for (int root = 0; root < (is_rooted(collective) ? ranks : 1); ++root) {
        const bool sampled = root <= 1 || root == ranks / 2 || root == ranks - 1;
        if (ranks > 16 && !sampled) continue;
        for (Plan& plan : arranged_plans(algorithm, collective, ranks, root)) {
          plans.push_back(std::move(plan));
        }
        for (const int radix : radices) {
          if (algorithm != Algorithm::knomial && radix != 2) continue;
          plans.push_back({algorithm, collective, ranks, root, radix});
        }
      }
    }
  }
  return plans;
}

}  // namespace rondo::testing
