#include "execute/kernels/loops.hpp"

namespace rondo {

constinit const KernelTable avx512_kernels = make_kernels();

}  // namespace rondo
