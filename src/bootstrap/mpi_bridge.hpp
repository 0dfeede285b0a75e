#pragma once

// The means of MPI for programs that know nothing of it: the library that has them is loaded when
// somebody asks for them.

#include <chrono>

#include "bootstrap/world.hpp"
#include "rondo/error.hpp"
#include "rondo/out_of_band.hpp"

namespace rondo {

/// The ranks of MPI_COMM_WORLD; initialises MPI, if nobody has. Collective. Errors: unsupported,
/// where the library cannot be loaded; invalid_argument, where a launcher says something else about
/// this process than MPI; those of rondo::out_of_band().
Result<OutOfBand> means_of_mpi(const Lookup& lookup, std::chrono::milliseconds patience);

}  // namespace rondo
