#pragma once

// Which MPI a program will run under, as far as can be told before it runs.

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace rondo::cli {

enum class MpiFamily { open_mpi, mpich };

struct MpiBelow {
  MpiFamily family = MpiFamily::open_mpi;
  std::string version = {};  ///< "4.1.4"; empty where unknown
  std::string how = {};      ///< what told
};

/// What find_mpi() looks at; tests give their own.
struct MpiSigns {
  std::function<std::optional<std::string>(std::string_view)> environment;
  /// What `PROGRAM --version` prints; empty where that fails.
  std::function<std::string(const std::string& program)> version_text;
  /// The content of the program's file; empty where there is none.
  std::function<std::string(const std::string& program)> content;
  /// What MPI_Get_library_version of a shared library says; empty where there is none.
  std::function<std::string(const std::string& library)> library_version;
};
MpiSigns real_signs();

/// Of `command`: what the launcher around it says, what it says of itself where it is a launcher,
/// or the libraries that it names. Nothing where none of them tells.
std::optional<MpiBelow> find_mpi(std::string_view program, const MpiSigns& signs);

/// Whether this process is a rank of a launcher's already; its number.
std::optional<std::string> rank_of_launcher(const MpiSigns& signs);

}  // namespace rondo::cli
