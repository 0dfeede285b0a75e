#include "cli/mpi_below.hpp"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <regex>
#include <sstream>
#include <system_error>

#include "base/text.hpp"

namespace rondo::cli {

namespace {

constexpr std::string_view open_mpi_library = "libmpi.so.40";
constexpr std::array<std::string_view, 3> mpich_libraries = {"libmpich.so.12", "libmpi.so.12",
                                                             "libmpichcxx.so"};

// The first path of the program that PATH leads to.
std::string found_in_path(const std::string& program) {
  if (program.find('/') != std::string::npos) return program;
  const char* const path = ::getenv("PATH");
  std::istringstream folders(path == nullptr ? "" : path);
  for (std::string folder; std::getline(folders, folder, ':');) {
    std::string file = concat(folder.empty() ? "." : folder, "/", program);
    if (std::ifstream(file)) return file;
  }
  return program;
}

// Nothing of what is no program: any word may name a file.
std::string content_of(const std::string& program) {
  const std::string path = found_in_path(program);
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(path, ignored)) return "";
  if (::access(path.c_str(), X_OK) != 0) return "";
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string shell_quoted(const std::string& word) {
  std::string quoted = "'";
  for (const char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

std::string version_text_of(const std::string& program) {
  const std::string command = shell_quoted(program) + " --version 2>/dev/null </dev/null";
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(::popen(command.c_str(), "r"), ::pclose);
  if (!pipe) return "";
  std::string text;
  std::array<char, 4096> part;
  while (const std::size_t count = ::fread(part.data(), 1, part.size(), pipe.get())) {
    text.append(part.data(), count);
  }
  return text;
}

std::string library_version_of(const std::string& library) {
  void* const opened = ::dlopen(library.c_str(), RTLD_LAZY | RTLD_LOCAL);
  if (opened == nullptr) return "";
  using Function = int(char*, int*);
  auto* const version = reinterpret_cast<Function*>(::dlsym(opened, "MPI_Get_library_version"));
  std::array<char, 8192> text{};  // more than MPI_MAX_LIBRARY_VERSION_STRING of any MPI
  int length = 0;
  if (version == nullptr || version(text.data(), &length) != 0) return "";
  return text.data();
}

std::optional<MpiBelow> from_text(const std::string& text, std::string how) {
  std::smatch found;
  const std::regex open_mpi(R"((?:Open MPI|OpenRTE)\)? ?v?([0-9]+(?:\.[0-9]+)*))");
  if (std::regex_search(text, found, open_mpi)) {
    return MpiBelow{MpiFamily::open_mpi, found[1], std::move(how)};
  }
  const std::regex mpich(R"((?:HYDRA|MPICH|MVAPICH|Intel\(R\) MPI))");
  if (!std::regex_search(text, mpich)) return std::nullopt;
  const std::regex number(R"(Version: *([0-9]+(?:\.[0-9a-z]+)*))");
  const bool has_number = std::regex_search(text, found, number);
  return MpiBelow{MpiFamily::mpich, has_number ? found[1].str() : "", std::move(how)};
}

MpiBelow open_mpi_here(const MpiSigns& signs, std::string how) {
  const std::string text = signs.library_version(std::string(open_mpi_library));
  return from_text(text, how).value_or(MpiBelow{MpiFamily::open_mpi, "", how});
}

bool is_launcher(std::string_view program) {
  const std::string_view file = program.substr(program.rfind('/') + 1);
  return file.starts_with("mpirun") || file.starts_with("mpiexec") || file == "orterun" ||
         file == "prterun";
}

}  // namespace

MpiSigns real_signs() {
  return {[](std::string_view variable) -> std::optional<std::string> {
            const char* const value = ::getenv(std::string(variable).c_str());
            if (value == nullptr) return std::nullopt;
            return value;
          },
          version_text_of, content_of, library_version_of};
}

std::optional<std::string> rank_of_launcher(const MpiSigns& signs) {
  if (auto rank = signs.environment("OMPI_COMM_WORLD_RANK")) return rank;
  return signs.environment("PMI_RANK");
}

std::optional<MpiBelow> find_mpi(std::string_view program, const MpiSigns& signs) {
  const std::string name(program);
  if (is_launcher(program)) {
    return from_text(signs.version_text(name), concat(name, " --version"));
  }
  if (signs.environment("OMPI_COMM_WORLD_SIZE")) return open_mpi_here(signs, "started by mpirun");
  const std::string content = signs.content(name);
  if (content.find(open_mpi_library) != std::string::npos) {
    return open_mpi_here(signs, concat(name, " needs ", open_mpi_library));
  }
  for (const std::string_view library : mpich_libraries) {
    if (content.find(library) == std::string::npos) continue;
    return MpiBelow{MpiFamily::mpich, "", concat(name, " needs ", library)};
  }
  if (signs.environment("PMI_RANK")) return MpiBelow{MpiFamily::mpich, "", "PMI_RANK is set"};
  return std::nullopt;
}

}  // namespace rondo::cli
