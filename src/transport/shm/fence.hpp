#pragma once

// The fence between a store and a load of who writes often and looks whether others sleep, and of
// who sleeps seldom and looks whether something was written. Where the kernel can put the second
// kind into all processors (membarrier), the first kind costs nothing: the order of instructions is
// enough. Otherwise both are full fences.

#include <atomic>

namespace rondo::process {

/// Whether fence_everywhere() of other processes reaches this one, and that of this one others.
/// Asked for the first time it registers the process, once.
bool has_fences_everywhere();

/// Of who seldom passes. It is a full fence here, and in all registered processes.
void fence_everywhere();

/// Of who often passes. `is_light`: both sides have fences everywhere.
inline void fence_here(bool is_light) {
  if (is_light) {
    std::atomic_signal_fence(std::memory_order_seq_cst);
  } else {
    std::atomic_thread_fence(std::memory_order_seq_cst);
  }
}

}  // namespace rondo::process
