#pragma once

// Libraries of rondo's own that librondo does without until somebody needs them.

#include <string>
#include <string_view>
#include <vector>

#include "bootstrap/world.hpp"
#include "rondo/error.hpp"

namespace rondo {

struct Plugin {
  std::string_view library;    ///< "librondo-mpi-bridge.so.0"
  std::string_view needed_by;  ///< "transport mpi"
  std::string_view made_of;    ///< it is built where this is found: "MPI"
};

/// Where a library is looked for, in this order: the folders of RONDO_PLUGIN_PATH, that of this
/// library or program, that of the installation, and wherever the system looks.
std::vector<std::string> plugin_places(const Lookup& lookup, const Plugin& plugin);

/// Its function of this name. `mode` is that of dlopen(). The library stays until the process ends.
/// Errors: unsupported, with all that was tried.
Result<void*> load_plugin(const Lookup& lookup, const Plugin& plugin, int mode, const char* entry);

}  // namespace rondo
