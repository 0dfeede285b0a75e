#pragma once

namespace rondo {

/// How many forks lie between the start of the program and this process. What has threads, locks or
/// connections compares it with the value at its making, since only that process may use them.
int fork_generation();

}  // namespace rondo
