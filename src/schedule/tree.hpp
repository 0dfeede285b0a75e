#pragma once

// What a rank does in a tree, whatever the shape of the tree: pass sums up, pass values down.
//
// Every link and direction has a lane of its own. A lane finishes all tiles of a step before it
// turns to the next one, so shared lanes would hold tile 2 back until tile 1 had reached everybody.

#include <optional>
#include <vector>

#include "schedule/builder.hpp"

namespace rondo {

/// The neighbours of one rank in a tree. A root has no parent, a leaf no children.
struct TreePlace {
  std::optional<int> parent = {};
  std::vector<int> children = {};  ///< in the order in which they are served
};

/// Binary tree `tree` (0 or 1) of the pair over 0…count-1, seen from `node`.
TreePlace double_tree_place(int tree, int node, int count);

/// The same below a root of its own: the trees span the other nodes, and `root` is the parent of
/// both of their roots.
TreePlace double_tree_place_below(int tree, int root, int node, int count);

/// The tree of the given radix over 0…count-1 with root 0, seen from `node`; children with large
/// subtrees first.
TreePlace knomial_place(int radix, int node, int count);

/// Nodes in the subtree of `node` in that tree: so many from `node` on.
int knomial_subtree(int radix, int node, int count);

/// Adds `own` to the sums of the children in `sum`, and passes the result to the parent. At the
/// root `sum` is then complete. A leaf passes `own` on and doesn't touch `sum`.
void reduce_up(ProgramBuilder& build, const TreePlace& place, int channel, Slice own, Slice sum);

/// Passes `value` on to the children; below the root it comes from the parent.
void broadcast_down(ProgramBuilder& build, const TreePlace& place, int channel, Slice value);

/// Broadcast, reduce or allreduce of one segment over a tree whose root is the plan's. A broadcast
/// begins in `out` of the root.
void tree_collective(ProgramBuilder& build, const TreePlace& place, int channel,
                     std::uint32_t segment);

}  // namespace rondo
