#pragma once

// One generator a file. Each says what its rank does and nothing else; make_program() dispatches.
// The arguments have been checked: ranks >= 1, rank and root in range, radix >= 2. Generators that
// are arranged along a line see the numbers on it: no arrangement, and 0 for the root.

#include "rondo/schedule.hpp"

namespace rondo {

Program ring(const Plan& plan, int rank);
Program double_tree(const Plan& plan, int rank);
Program direct(const Plan& plan, int rank);  // one_shot and two_shot
Program linear(const Plan& plan, int rank);  // one_shot gather, scatter and alltoall
Program knomial(const Plan& plan, int rank);
Program knomial_gather(const Plan& plan, int rank);
Program knomial_scatter(const Plan& plan, int rank);
Program circulant(const Plan& plan, int rank);
Program recursive_doubling(const Plan& plan, int rank);
Program halving_doubling(const Plan& plan, int rank);
Program chain(const Plan& plan, int rank);
Program scatter_allgather(const Plan& plan, int rank);
Program pairwise(const Plan& plan, int rank);
Program bruck(const Plan& plan, int rank);
Program two_level(const Plan& plan, int rank);
Program chain_tree(const Plan& plan, int rank);

/// What an arrangement is to a schedule.
enum class Arranged : std::uint8_t {
  never,       ///< nothing: it knows the ranks by their own numbers
  along_line,  ///< only who stands where on a Line
  by_itself,   ///< its generator looks at it
};
Arranged arranged(Algorithm algorithm, Collective collective);
/// Whether it goes other ways inside the groups of an arrangement than between them.
inline bool has_groups(Algorithm algorithm) {
  return algorithm == Algorithm::two_level || algorithm == Algorithm::chain_tree;
}

/// Whether make_program() has a program for each rank of this plan.
Result<> check_plan(const Plan& plan);
/// Whether the weights and channels of a plan suit its algorithm.
Result<> check_parts(const Plan& plan);

/// A world of one: `in` becomes `out`.
Program alone(const Plan& plan);

}  // namespace rondo
