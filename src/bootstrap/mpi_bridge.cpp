#include "bootstrap/mpi_bridge.hpp"

#include <dlfcn.h>

#include <cstdint>

#include "base/text.hpp"
#include "bootstrap/plugin.hpp"

namespace rondo {

namespace {

constexpr Plugin bridge = {"librondo-mpi-bridge.so.0", "transport mpi", "MPI"};
using OpenMeans = void(OutOfBand* means, std::int64_t patience_ms);

// A process may be no rank of MPI's at all, but one of another launcher, alone in its MPI.
Result<> compare(const Lookup& lookup, const OutOfBand& means) {
  const Result<Launch> launch = read_launch(lookup);
  if (!launch || launch.value().launcher == "none") return {};
  const Launch& told = launch.value();
  if (told.rank == means.rank && told.size == means.size) return {};
  return Error(ErrorCode::invalid_argument,
               concat("transport mpi: MPI says that this process is rank ", means.rank, " of ",
                      means.size, ", but ", told.launcher, " that it is rank ", told.rank, " of ",
                      told.size, ": start the program with mpirun"));
}

}  // namespace

Result<OutOfBand> means_of_mpi(const Lookup& lookup, std::chrono::milliseconds patience) {
  // MPI libraries load parts of their own, which find them among the global symbols.
  const Result<void*> entry =
      load_plugin(lookup, bridge, RTLD_NOW | RTLD_GLOBAL, "rondo_open_means");
  if (!entry) return entry.error();
  auto* const open = reinterpret_cast<OpenMeans*>(entry.value());
  OutOfBand means;
  try {
    open(&means, patience.count());
  } catch (const Error& error) {
    return error;
  }
  if (Result<> alike = compare(lookup, means); !alike) return alike.error();
  return means;
}

}  // namespace rondo
