#pragma once

#include <sched.h>

#include <cstdint>

#include "rondo/topology.hpp"

namespace rondo {

/// Keeps the calling thread on one core while two ranks measure their link, and then gives it back
/// the freedom it had. Ranks that are not bound to a core each may sit on one and the same for a
/// while, above all on a busy machine: their messages then take as long as the other rank spins,
/// which says nothing about the link. Apart, the first rank takes the first core that it may use,
/// the second the last one; together, both take the first that both may use. Does nothing where
/// they live on different hosts, or are bound.
class Pinning {
 public:
  enum class Place : std::uint8_t { apart, together };

  Pinning(const Topology& pair, int rank, Place place);
  Pinning(const Pinning&) = delete;
  Pinning& operator=(const Pinning&) = delete;
  ~Pinning();

 private:
  cpu_set_t before_;
  bool pinned_ = false;
};

/// The pair as it is when kept together: bound to one core. Unchanged where that cannot be.
Topology on_one_core(const Topology& pair);

}  // namespace rondo
