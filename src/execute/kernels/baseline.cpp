#include "execute/kernels/loops.hpp"

namespace rondo {

constinit const KernelTable baseline_kernels = make_kernels();

}  // namespace rondo
