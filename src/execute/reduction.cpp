#include "execute/reduction.hpp"

#include "base/invariant.hpp"
#include "execute/isa.hpp"

namespace rondo {

namespace {

template <class Kernels>
auto entry(const Kernels& kernels, DType dtype, Op op) {
  return kernels[static_cast<std::size_t>(dtype)][static_cast<std::size_t>(op)];
}

}  // namespace

Reduction::Reduction(const KernelTable& table, DType dtype, Op op)
    : two_(entry(table.two, dtype, op)),
      many_(entry(table.many, dtype, op)),
      streaming_(entry(table.streaming, dtype, op)),
      twin_(entry(table.twin, dtype, op)),
      twin_streaming_(entry(table.twin_streaming, dtype, op)) {}

Reduction::Reduction(DType dtype, Op op) : Reduction(kernels_in_use(), dtype, op) {}

void reduce(DType dtype, Op op, void* destination, std::span<const void* const> sources,
            std::size_t count, int divisor, Store store) {
  RONDO_INVARIANT(sources.size(), >=, 1u);
  RONDO_INVARIANT(is_defined(op, dtype), ==, true);
  Reduction(dtype, op).into(destination, sources, count, divisor, store);
}

}  // namespace rondo
