#pragma once

// Reduction of contiguous elements, by kernels for the instruction set in use (execute/isa.hpp).

#include <cstddef>
#include <span>

#include "base/past_cache.hpp"
#include "execute/kernels/kernels.hpp"
#include "rondo/types.hpp"

namespace rondo {

/// destination[i] = sources[0][i] ⊕ sources[1][i] ⊕ …, for i < count, in this order.
///
/// Of two sources, `sum`, `prod`, `min` and `max` make the same bits in either order, but for which
/// NaN a sum or product is. Integers wrap. 16-bit floats are widened to float32, folded there, and
/// rounded once at the end. `avg` adds; with divisor > 1 the sum is divided by it before rounding.
/// Other operations ignore the divisor. is_defined(op, dtype) must be true. The destination may be
/// any of the sources, or must not overlap them; pointers need no alignment. At least one source.
void reduce(DType dtype, Op op, void* destination, std::span<const void* const> sources,
            std::size_t count, int divisor = 1, Store store = Store::cached);

/// The same with kernels that are looked up once, for those who reduce again and again. The
/// instruction set is the one in use when they are.
class Reduction {
 public:
  /// Movements have one too, of whatever they were called with: only into() needs one that is
  /// defined.
  Reduction(DType dtype, Op op);
  bool operator==(const Reduction&) const = default;

  void into(void* destination, std::span<const void* const> sources, std::size_t count,
            int divisor = 1, Store store = Store::cached) const {
    const Kernel kernel = find(sources.size(), store);
    if (count > 0) kernel(destination, sources.data(), sources.size(), count, divisor);
  }
  /// Of two sources, with the result in two places, of which only the first may be a source. Stores
  /// to the first are streaming, as above, where both places lie alike in lines of 64 bytes.
  void into_both(void* destination, void* other, Store other_store,
                 std::span<const void* const, 2> sources, std::size_t count,
                 int divisor = 1) const {
    const TwinKernel kernel = other_store == Store::streaming ? twin_streaming_ : twin_;
    if (count > 0) kernel(destination, other, sources.data(), count, divisor);
  }

 private:
  Reduction(const KernelTable& table, DType dtype, Op op);

  Kernel find(std::size_t source_count, Store store) const {
    if (store == Store::streaming) return streaming_;
    return source_count == 2 ? two_ : many_;
  }

  Kernel two_;
  Kernel many_;
  Kernel streaming_;
  TwinKernel twin_;
  TwinKernel twin_streaming_;
};

}  // namespace rondo
