#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace rondo {

/// A way through `count` objects and back to the first, 0, whose weakest link is as strong as
/// possible, and whose links are as strong as possible in sum. `strength` has the symmetric
/// strengths by rows. Exact for up to 9 objects; beyond, the better of the given order 0, 1, 2 …
/// and a greedy one, improved as long as turning round a part of the way helps. Where several are
/// best, the one nearest to 0, 1, 2 ….
std::vector<int> strongest_cycle(int count, std::span<const std::int64_t> strength);

}  // namespace rondo
