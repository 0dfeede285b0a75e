// mpi-perf: an MPI library measured as rondo-perf measures rondo. Built once with each library that
// was found; the ranks come from that library's mpirun or mpiexec.

#include <mpi.h>

#include <exception>
#include <iostream>
#include <span>

#include "bench/compare/mpi_library.hpp"
#include "bench/options.hpp"
#include "bench/suite.hpp"

namespace {

namespace bench = rondo::bench;

constexpr const char* program = "mpi-perf";

/// A rank that cannot go on ends the job: the others would wait for it.
int run(const bench::Options& options) {
  bench::Mpi library;
  try {
    return bench::run_suite(library, options, std::cout);
  } catch (const std::exception& error) {
    std::cerr << program << ": rank " << library.rank() << ": " << error.what() << "\n";
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
