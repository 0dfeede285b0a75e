#pragma once

// How the ranks of a program reach each other before rondo connects them.

#include <cstddef>
#include <functional>
#include <memory>
#include <span>

#include "rondo/fabric.hpp"

namespace rondo {

/// A rank and its means to exchange bytes with the others: those of MPI, of a store, of a test.
/// With it Communicator::join() needs no launcher, no variables and no place to meet.
struct OutOfBand {
  int rank = 0;
  int size = 1;
  /// Everybody's bytes to everybody, in rank order: `mine` is as long on all ranks, and `all` has
  /// room for `size` times as much. Blocks until all ranks have called it. What it throws ends
  /// join() on this rank; it has to see to its own deadline.
  std::function<void(std::span<const std::byte> mine, std::span<std::byte> all)> allgather = {};
  /// A network of the caller's that can carry the data, among the same ranks; null: there is none.
  std::shared_ptr<Fabric> fabric = nullptr;
};

}  // namespace rondo
