#pragma once

// The means of PMIx, which Open MPI's mpirun and srun --mpi=pmix give to the processes they start:
// ranks of many hosts come to know each other without a place to meet.

#include <chrono>

#include "bootstrap/world.hpp"
#include "rondo/error.hpp"
#include "rondo/out_of_band.hpp"

namespace rondo {

/// What Launch::rendezvous says where ranks meet over PMIx.
inline constexpr const char* pmix_rendezvous = "pmix";

/// Whether a PMIx server has started this process.
bool has_pmix(const Lookup& lookup);

/// libpmix is loaded, and used until the process ends. Errors: unsupported, where
/// it is not there; join_failed, where its server does not answer or has another rank for us.
Result<OutOfBand> means_of_pmix(const Launch& launch, std::chrono::milliseconds patience);

}  // namespace rondo
