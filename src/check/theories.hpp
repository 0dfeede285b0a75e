#pragma once

// The families of algorithms, one file each: what theory.hpp asks of all of them.

#include "check/theory.hpp"

namespace rondo {

struct Promise {
  Theory (*figures)(const Plan& plan) = nullptr;  ///< for two ranks or more
  Formula (*formula)(const Plan& plan) = nullptr;
  /// Of algorithms that are arranged along a line, for the numbers on it: the root is 0.
  bool (*has_link)(const Plan& plan, int from, int to, int channel) = nullptr;
};

extern const Promise ring_promise;
extern const Promise direct_promise;  ///< one_shot and two_shot
extern const Promise knomial_promise;
extern const Promise double_tree_promise;
extern const Promise circulant_promise;
extern const Promise recursive_doubling_promise;
extern const Promise halving_doubling_promise;
extern const Promise chain_promise;
extern const Promise scatter_allgather_promise;
extern const Promise pairwise_promise;
extern const Promise bruck_promise;
extern const Promise two_level_promise;
extern const Promise chain_tree_promise;

/// The parent of a node other than 0 in the first binary tree of a pair over `count` nodes.
int in_order_parent(int node, int count);

}  // namespace rondo
