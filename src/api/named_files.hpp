#pragma once

// The files that options and variables name: topology, costs and choices.

#include <array>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "api/exchange.hpp"
#include "api/state.hpp"

namespace rondo {

struct FileSource {
  std::string path;
  int ranks = 0;  ///< of the world that it is for; 0: any number
};

/// One kind of file.
struct NamedFile {
  std::string_view option;     ///< as ranks that have different ones are told
  std::string_view variable;   ///< RONDO_TOPOLOGY …
  std::string_view writer;     ///< the command that writes one
  std::string_view otherwise;  ///< what all ranks use without it
  std::optional<std::string> Options::*path;
  /// Puts what the text says into the settings. Where it cannot be used they stay as they are, and
  /// the Error does not name the file.
  Result<> (*take)(std::string_view text, const FileSource& source, Settings& settings);
  void (*drop)(Settings& settings);
  /// Equal where the settings have the same of such a file; empty where they have none.
  std::string (*text)(const Settings& settings);
};
constexpr std::size_t named_file_count = 3;
std::span<const NamedFile, named_file_count> named_files();

/// Reads such a file. Errors: io or invalid_argument, with the variable, the path and the line.
Result<> read_file(const NamedFile& file, const FileSource& source, Settings& settings);

/// Why files cannot be used, in the order of named_files(); empty for the others.
using FileTroubles = std::array<std::string, named_file_count>;

/// Reads the files that `complete` names and `given` does not: those of the environment.
FileTroubles read_files_of_environment(const Options& given, const Options& complete, int ranks,
                                       Settings& settings);

/// Collective: a file that any rank cannot use is used by none, and the lowest such rank says so on
/// standard error. Errors: join_failed on all ranks where they have different files.
Result<> agree_on_files(Exchange exchange, const FileTroubles& own, Settings& settings);

}  // namespace rondo
