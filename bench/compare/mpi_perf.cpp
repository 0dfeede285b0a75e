// mpi-perf: an MPI library measured as rondo-perf measures rondo. Built once with each library that
// was found; the ranks come from that library's mpirun or mpiexec.

#include <iostream>

#include "bench/compare/mpi_library.hpp"
#include "bench/suite.hpp"

namespace bench = rondo::bench;

int main(int count, char** values) {
  return bench::run_mpi_program("mpi-perf", count, values,
                                [](bench::Mpi& mpi, const bench::Options& options) {
                                  return bench::run_suite(mpi, options, std::cout);
                                });
}
