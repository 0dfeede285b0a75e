// rondo-mpi-perf: an MPI library and rondo among the ranks of one mpirun, in turns and in one
// table.

#include <mpi.h>

#include <iostream>

#include "bench/compare/mpi_library.hpp"
#include "bench/duel.hpp"
#include "bench/rondo_library.hpp"
#include "rondo/mpi.hpp"

namespace {

namespace bench = rondo::bench;

int measure(bench::Mpi& mpi, const bench::Options& options) {
  rondo::Options settings;
  settings.algorithm = options.algorithm;
  settings.tile_bytes = options.tile_bytes;
  if (!options.transport.empty()) settings.transport = options.transport;
  rondo::Communicator communicator = rondo::from_mpi(MPI_COMM_WORLD, settings);
  bench::Rondo rondo(communicator);
  return bench::run_duel({&rondo, &mpi}, options, std::cout);
}

}  // namespace

int main(int count, char** values) {
  return bench::run_mpi_program("rondo-mpi-perf", count, values, measure);
}
