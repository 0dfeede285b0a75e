#include "execute/kernels/loops.hpp"

namespace rondo {

constinit const KernelTable avx2_kernels = make_kernels();

}  // namespace rondo
