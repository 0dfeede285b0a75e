#pragma once

// One call with known data: what it left in its buffers, element by element.

#include <cstdint>

#include "bench/arena.hpp"
#include "bench/data.hpp"
#include "bench/library.hpp"
#include "bench/options.hpp"
#include "bench/sizes.hpp"

namespace rondo::bench {

/// Makes the call of this rank, which is through with it after Library::finish().
void carry_out(Library& library, const Case& c, const Place& place);

/// Runs the call once (reference: twice) and compares: results, inputs that must not change,
/// receive buffers that the call has no business with, and the bytes around the buffers.
/// `wrong` is summed over the ranks, and is never less than what this rank saw itself.
Findings check_call(Library& library, Arena& arena, const Case& c, Check check, std::uint64_t seed);

/// Fills the buffers of call 0 on the host with this rank's inputs and everything else with other
/// bytes.
void prepare(const Pattern& pattern, const Case& c, int rank, Arena& arena);

/// What is wrong in the buffers of call 0 on the host after the call.
Findings inspect(const Pattern& pattern, const Case& c, int rank, const Arena& arena);

}  // namespace rondo::bench
