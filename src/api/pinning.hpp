#pragma once

#include <sched.h>

#include "rondo/topology.hpp"

namespace rondo {

/// Keeps the calling thread on one core while two ranks measure their link, and then gives it back
/// the freedom it had. Ranks that are not bound to a core each may sit on one and the same for a
/// while, above all on a busy machine: their messages then take as long as the other rank spins,
/// which says nothing about the link. The first rank takes the first core that it may use, the
/// second the last one. Does nothing where they live on different hosts, or are bound.
class Pinning {
 public:
  Pinning(const Topology& pair, int rank);
  Pinning(const Pinning&) = delete;
  Pinning& operator=(const Pinning&) = delete;
  ~Pinning();

 private:
  cpu_set_t before_;
  bool pinned_ = false;
};

}  // namespace rondo
