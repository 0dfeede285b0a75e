// rondo mpi: runs an MPI program with rondo's collectives in it.

#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <vector>

#include "base/text.hpp"
#include "cli/arguments.hpp"
#include "cli/mpi_below.hpp"
#include "cli/verbs.hpp"

namespace rondo::cli {

namespace {

namespace fs = std::filesystem;

constexpr const char* help =
    "usage: rondo mpi [--form component|preload] [--mode measured|always|off]\n"
    "                 [--stats FILE] [--table] [--modules FOLDER] [-q] [--] PROGRAM [ARG …]\n"
    "\n"
    "Runs an MPI program as it is, with rondo's collectives where they are the faster ones. Goes\n"
    "around mpirun or between it and the program:\n"
    "\n"
    "  rondo mpi -- mpirun -np 4 ./program\n"
    "  mpirun -np 4 rondo mpi -- ./program\n"
    "\n"
    "  --form NAME     component: a collective component of Open MPI 4.1, the default there;\n"
    "                  preload: a library before all others, for every other MPI\n"
    "  --mode NAME     sets RONDO_MPI: measured, the default, keeps the faster of both for each\n"
    "                  collective, type and size; always: rondo wherever it can, the same way in\n"
    "                  every run; off: nothing\n"
    "  --stats FILE    sets RONDO_STATS: rank 0 writes there what became of all ranks' calls\n"
    "  --table         sets RONDO_STATS_TABLE: the same as a table at the end\n"
    "  --modules DIR   where the component and the libraries are; default: beside this command\n"
    "  -q              do not say which form was chosen\n"
    "\n"
    "Across hosts Open MPI passes the component's settings on by itself. Anything else of the\n"
    "environment needs mpirun's -x: LD_PRELOAD for the preloaded form, and RONDO_ variables.\n";

constexpr std::string_view component_file = "mca_coll_rondo.so";

// Of an installation, or of a build folder.
fs::path default_modules() {
  const fs::path folder = fs::read_symlink("/proc/self/exe").parent_path();
  const fs::path built = folder / ".." / "bind" / "drop_in";
  return fs::weakly_canonical(fs::exists(built) ? built : folder / ".." / RONDO_LIBDIR / "rondo");
}

fs::path preload_file(MpiFamily family) {
  return family == MpiFamily::open_mpi ? "librondo-mpi-openmpi.so" : "librondo-mpi-mpich.so";
}

struct Form {
  bool is_component = false;
  fs::path file = {};
};

Form choose_form(const MpiBelow& below, const std::optional<std::string>& wish,
                 const fs::path& modules) {
  const bool fits = below.family == MpiFamily::open_mpi && below.version.starts_with("4.1.") &&
                    fs::exists(modules / component_file);
  if (wish == "component" && !fits) {
    throw UsageError(concat("--form component is for Open MPI 4.1, and needs ",
                            (modules / component_file).string()));
  }
  Form form;
  form.is_component = wish ? wish == "component" : fits;
  form.file = modules / (form.is_component ? fs::path(component_file) : preload_file(below.family));
  if (!fs::exists(form.file)) {
    throw std::runtime_error(concat("there is no ", form.file.string(),
                                    ": this rondo was built without that MPI; --modules names "
                                    "another folder"));
  }
  return form;
}

void set(const char* variable, const std::string& value) {
  if (::setenv(variable, value.c_str(), 1) != 0) throw std::bad_alloc();
}

// The new one first.
void prepend(const char* variable, const std::string& value, const char* separator,
             const char* otherwise) {
  const char* const present = std::getenv(variable);
  const std::string rest = present == nullptr || *present == '\0' ? otherwise : present;
  set(variable, rest.empty() ? value : concat(value, separator, rest));
}

void prepare(const Form& form) {
  if (form.is_component) {
    prepend("OMPI_MCA_mca_base_component_path", form.file.parent_path().string(), ":",
            "SYSTEM_DEFAULT:USER_DEFAULT");
  } else {
    prepend("LD_PRELOAD", form.file.string(), ":", "");
  }
}

int become(std::span<char* const> command) {
  std::vector<char*> words(command.begin(), command.end());
  words.push_back(nullptr);
  ::execvp(words.front(), words.data());
  const int reason = errno;
  std::cerr << "rondo mpi: cannot start " << words.front() << ": " << std::strerror(reason) << "\n";
  return reason == ENOENT ? 127 : 126;
}

}  // namespace

int mpi_verb(std::span<char* const> args) {
  const std::size_t own = count_own_words(args, {"--form", "--mode", "--stats", "--modules"});
  Arguments arguments(args.first(own));
  if (arguments.help()) {
    std::cout << help;
    return success;
  }
  const auto wish = arguments.value("--form");
  const auto mode = arguments.value("--mode");
  const auto stats = arguments.value("--stats");
  const auto modules = arguments.value("--modules");
  const bool prints_table = arguments.flag("--table");
  const bool is_quiet = arguments.flag("-q");
  arguments.finish();
  if (wish && wish != "component" && wish != "preload") {
    throw UsageError(concat("option --form is component or preload, not '", *wish, "'"));
  }
  if (mode && mode != "measured" && mode != "always" && mode != "off") {
    throw UsageError(concat("option --mode is measured, always or off, not '", *mode, "'"));
  }
  const bool separated = own < args.size() && std::string_view(args[own]) == "--";
  const auto command = args.subspan(separated ? own + 1 : own);
  if (command.empty()) throw UsageError("the program to run is missing");

  if (mode) set("RONDO_MPI", *mode);
  if (stats) set("RONDO_STATS", fs::absolute(*stats).string());
  if (prints_table) set("RONDO_STATS_TABLE", "1");
  const MpiSigns signs = real_signs();
  // Something may stand before mpirun, as in `timeout 60 mpirun`.
  std::optional<MpiBelow> below;
  for (std::size_t i = 0; i < command.size() && !below; ++i) below = find_mpi(command[i], signs);
  if (!below) {
    if (signs.content(command.front()).empty()) {
      throw std::runtime_error(concat("cannot find or read ", command.front()));
    }
    throw std::runtime_error(concat("cannot tell which MPI ", command.front(),
                                    " uses: it is no mpirun, was started by none, and names no "
                                    "MPI library; put 'rondo mpi --' before mpirun"));
  }
  const Form form = choose_form(*below, wish, modules ? fs::absolute(*modules) : default_modules());
  const bool is_spokesman = rank_of_launcher(signs).value_or("0") == "0";
  if (!is_quiet && is_spokesman) {
    std::cerr << concat("rondo mpi: ", below->family == MpiFamily::open_mpi ? "Open MPI" : "MPICH",
                        below->version.empty() ? "" : " ", below->version, " (", below->how,
                        "): ", form.is_component ? "component " : "preload ", form.file.string(),
                        "\n");
  }
  prepare(form);
  return become(command);
}

}  // namespace rondo::cli
