#pragma once

// What the user of the drop-in may say, in the environment.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace rondo::bind {

enum class Mode : std::uint8_t {
  off,       ///< everything goes below
  measured,  ///< the faster of both, for each kind of call
  always,    ///< rondo where it can: the same way in every run
};

struct Settings {
  Mode mode = Mode::measured;
  /// A communicator of rondo's is made for one of MPI's when so many calls, or bytes, have shown
  /// that it will be used: many live for a call or two only.
  std::uint64_t calls_before = 64;
  std::uint64_t bytes_before = 16u << 20;
  /// … and as long as making them takes no more than this of the time that the program has run; 0:
  /// whatever it takes.
  double most_forming = 0;
  std::string stats_file = {};  ///< empty: none
  bool prints_table = false;
  std::string complaint = {};  ///< about a variable that makes no sense; `mode` is off then

  bool counts() const { return prints_table || !stats_file.empty(); }
};

using Lookup = std::function<std::optional<std::string>(const char*)>;

/// From RONDO_MPI, RONDO_MPI_AFTER, RONDO_STATS and RONDO_STATS_TABLE.
Settings read_settings(const Lookup& lookup);
/// Of this process.
std::optional<std::string> environment(const char* variable);

std::string_view name(Mode mode);

}  // namespace rondo::bind
