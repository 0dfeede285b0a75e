#include "transport/shm/fence.hpp"

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace rondo::process {

namespace {

long membarrier(int command) {
  return ::syscall(SYS_membarrier, command, 0u, 0);
}

bool join_fences() {
  const long known = membarrier(MEMBARRIER_CMD_QUERY);
  constexpr long needed =
      MEMBARRIER_CMD_GLOBAL_EXPEDITED | MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED;
  return known > 0 && (known & needed) == needed &&
         membarrier(MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED) == 0;
}

}  // namespace

bool has_fences_everywhere() {
  static const bool has_joined = join_fences();
  return has_joined;
}

void fence_everywhere() {
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (has_fences_everywhere()) (void)membarrier(MEMBARRIER_CMD_GLOBAL_EXPEDITED);
}

}  // namespace rondo::process
