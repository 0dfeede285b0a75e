#include "execute/reduction.hpp"

#include "base/invariant.hpp"
#include "execute/isa.hpp"

namespace rondo {

Kernel find_kernel(DType dtype, Op op, std::size_t source_count, Store store) {
  RONDO_INVARIANT(source_count, >=, 1u);
  const KernelTable& table = kernels_in_use();
  const KernelsByOp& kernels = store == Store::streaming ? table.streaming
                               : source_count == 2       ? table.two
                                                         : table.many;
  return kernels[static_cast<std::size_t>(dtype)][static_cast<std::size_t>(op)];
}

void reduce(DType dtype, Op op, void* destination, std::span<const void* const> sources,
            std::size_t count, int divisor, Store store) {
  const Kernel kernel = find_kernel(dtype, op, sources.size(), store);
  if (count > 0) kernel(destination, sources.data(), sources.size(), count, divisor);
}

void reduce_twice(DType dtype, Op op, void* destination, void* other, Store other_store,
                  std::span<const void* const, 2> sources, std::size_t count, int divisor) {
  const KernelTable& table = kernels_in_use();
  const TwinKernelsByOp& kernels =
      other_store == Store::streaming ? table.twin_streaming : table.twin;
  const TwinKernel kernel = kernels[static_cast<std::size_t>(dtype)][static_cast<std::size_t>(op)];
  if (count > 0) kernel(destination, other, sources.data(), count, divisor);
}

}  // namespace rondo
