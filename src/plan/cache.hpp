#pragma once

#include <map>
#include <memory>
#include <tuple>
#include <vector>

#include "rondo/schedule.hpp"

namespace rondo {

/// A rank's program, ready to be carried out again and again.
struct PreparedProgram {
  Program program;
  std::vector<Link> links;  ///< all that the program uses, sorted and unique
};

/// The programs that one rank has used so far. Where RONDO_VERIFY_PLANS is defined (debug and
/// sanitizer builds), the whole schedule of a plan is proved before its program enters the cache.
class PlanCache {
 public:
  explicit PlanCache(int rank) : rank_(rank) {}

  Result<std::shared_ptr<const PreparedProgram>> get(const Plan& plan);

 private:
  // Arrangements are few, made once and shared, so their addresses tell them apart.
  using Key = std::tuple<Algorithm, Collective, int, int, int, int, const Arrangement*>;

  int rank_;
  std::map<Key, std::shared_ptr<const PreparedProgram>> programs_;
};

}  // namespace rondo
