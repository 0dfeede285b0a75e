#pragma once

// Reduction kernels: a table dtype × op of plain loops over contiguous elements.

#include <cstddef>
#include <span>

#include "rondo/types.hpp"

namespace rondo {

/// destination[i] = sources[0][i] ⊕ sources[1][i] ⊕ …, for i < count, in this order.
///
/// Of two sources, `sum`, `prod`, `min` and `max` make the same bits in either order, but for which
/// NaN a sum or product is. Integers wrap. 16-bit floats are widened to float32, folded there, and
/// rounded once at the end. `avg` adds; with divisor > 1 the sum is divided by it before rounding.
/// Other operations ignore the divisor. The destination may be any of the sources, or must not
/// overlap them; pointers need no alignment. At least one source.
void reduce(DType dtype, Op op, void* destination, std::span<const void* const> sources,
            std::size_t count, int divisor = 1);

}  // namespace rondo
