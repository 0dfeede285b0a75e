// rondo-mpi-perf: an MPI library and rondo among the ranks of one mpirun, in turns and in one
// table.

#include <mpi.h>

#include <exception>
#include <iostream>
#include <span>

#include "bench/compare/mpi_library.hpp"
#include "bench/duel.hpp"
#include "bench/options.hpp"
#include "bench/rondo_library.hpp"
#include "bench/suite.hpp"
#include "rondo/mpi.hpp"

namespace {

namespace bench = rondo::bench;

constexpr const char* program = "rondo-mpi-perf";

/// A rank that cannot go on ends the job: the others would wait for it inside MPI.
int run(const bench::Options& options) {
  bench::Mpi mpi;
  try {
    rondo::Options settings;
    settings.algorithm = options.algorithm;
    settings.tile_bytes = options.tile_bytes;
    if (!options.transport.empty()) settings.transport = options.transport;
    rondo::Communicator communicator = rondo::from_mpi(MPI_COMM_WORLD, settings);
    bench::Rondo rondo(communicator);
    return bench::run_duel({&rondo, &mpi}, options, std::cout);
  } catch (const std::exception& error) {
    std::cerr << rondo::concat(program, ": rank ", mpi.rank(), ": ", error.what(), "\n");
    MPI_Abort(MPI_COMM_WORLD, bench::exit_wrong);
    return bench::exit_wrong;
  }
}

}  // namespace

int main(int count, char** values) {
  const std::span<const char* const> arguments(values + 1, static_cast<std::size_t>(count - 1));
  const rondo::Result<bench::Options> options = bench::parse_options(arguments);
  if (!options) {
    std::cerr << program << ": " << options.error().text() << "\n";
    return bench::exit_usage;
  }
  if (options.value().help) {
    std::cout << bench::help_text(program);
    return 0;
  }
  MPI_Init(nullptr, nullptr);
  const int code = run(options.value());
  MPI_Finalize();
  return code;
}
