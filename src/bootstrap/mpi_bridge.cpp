#include "bootstrap/mpi_bridge.hpp"

#include <dlfcn.h>

#include <cstdint>

#include "base/text.hpp"
#include "base/words.hpp"
#include "bootstrap/environment.hpp"

namespace rondo {

namespace {

constexpr const char* library = "librondo-mpi-bridge.so.0";
constexpr const char* entry = "rondo_open_means";
using OpenMeans = void(OutOfBand* means, std::int64_t patience_ms);

// Of the library or program that this code is in; with its last slash.
std::string own_folder() {
  static const char here = 0;
  Dl_info info = {};
  if (::dladdr(&here, &info) == 0 || info.dli_fname == nullptr) return "";
  const std::string_view path = info.dli_fname;
  return std::string(path.substr(0, path.rfind('/') + 1));
}

// MPI libraries load parts of their own, which find them among the global symbols.
Result<void*> load(const Lookup& lookup) {
  std::string tried;
  for (const std::string& place : bridge_places(lookup)) {
    if (void* const loaded = ::dlopen(place.c_str(), RTLD_NOW | RTLD_GLOBAL)) return loaded;
    const char* const reason = ::dlerror();
    tried += concat(tried.empty() ? "" : "; ", reason == nullptr ? place.c_str() : reason);
  }
  return Error(ErrorCode::unsupported, concat("transport mpi needs ", library,
                                              ", which is built where MPI is found: ", tried,
                                              "; RONDO_PLUGIN_PATH says where it is"));
}

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

std::vector<std::string> bridge_places(const Lookup& lookup) {
  std::vector<std::string> places;
  if (const std::optional<std::string> folders = text_of(lookup, "RONDO_PLUGIN_PATH")) {
    for (const std::string_view folder : split(*folders, ':')) {
      if (!folder.empty()) places.push_back(concat(folder, "/", library));
    }
  }
  if (const std::string folder = own_folder(); !folder.empty()) places.push_back(folder + library);
  places.push_back(concat(RONDO_LIBRARY_FOLDER, "/", library));
  places.emplace_back(library);
  return places;
}

Result<OutOfBand> means_of_mpi(const Lookup& lookup, std::chrono::milliseconds patience) {
  const Result<void*> loaded = load(lookup);
  if (!loaded) return loaded.error();
  auto* const open = reinterpret_cast<OpenMeans*>(::dlsym(loaded.value(), entry));
  if (open == nullptr) {
    return Error(
        ErrorCode::unsupported,
        concat("the ", library, " that was found is of another version: it has no ", entry));
  }
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
