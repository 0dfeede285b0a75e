#pragma once

// rondo among the ranks of an MPI program. The only header of rondo that includes mpi.h; what it
// declares is in librondo-mpi-bridge, so that librondo itself needs no MPI.
//
//   rondo::Communicator comm = rondo::from_mpi(MPI_COMM_WORLD);
//
// Data goes through shared memory inside hosts, and between them through TCP or MPI's messages,
// whichever was measured to be faster; with Options::transport or RONDO_TRANSPORT "mpi" through
// MPI's messages everywhere. rondo never blocks inside MPI, and uses a duplicate of the
// communicator that it is given. Communicators over MPI end before MPI_Finalize. Like MPI, they get
// on while the program is inside calls of either.
//
// Thread levels: with MPI_THREAD_MULTIPLE all calls work over MPI's messages. Below it no thread of
// rondo's own may call MPI: nonblocking calls over MPI's messages are Error{unsupported}, and auto
// stays with TCP between hosts, which works at all levels. With MPI_THREAD_SERIALIZED a call of
// rondo counts as one of MPI, of which there may be one at a time; with less, only the main thread
// may make it.

#include <mpi.h>

#include <chrono>

#include "rondo/communicator.hpp"
#include "rondo/export.hpp"
#include "rondo/out_of_band.hpp"

namespace rondo {

/// The means of MPI, on a duplicate of an intracommunicator: its rank and size, an allgather, and a
/// fabric of its messages. Collective, and so is each call of the allgather; both throw
/// Error{join_failed} when not all ranks take part in time. Error{invalid_argument} without MPI, or
/// for what is no intracommunicator.
RONDO_API OutOfBand out_of_band(MPI_Comm comm, std::chrono::milliseconds patience);

/// The ranks of an intracommunicator as a world of rondo. Collective.
inline Communicator from_mpi(MPI_Comm comm, const Options& options = {}) {
  constexpr std::chrono::milliseconds otherwise(60'000);
  return Communicator::join(out_of_band(comm, options.join_timeout.value_or(otherwise)), options);
}

}  // namespace rondo
