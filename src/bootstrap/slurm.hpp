#pragma once

// The two compressed lists that Slurm puts into the environment.

#include <optional>
#include <string>
#include <string_view>

namespace rondo {

/// The first host of a list such as "node[03-05,9],gpu1" or "r[1-2]n[7,8]": "node03", "r1n7".
std::optional<std::string> first_slurm_host(std::string_view list);
/// The number of tasks on a node, by the node's index, from a list such as "4(x2),3".
std::optional<int> slurm_tasks_on_node(std::string_view list, int node);

}  // namespace rondo
