#include "bind/drop_in/settings.hpp"

#include <array>
#include <charconv>
#include <cstdlib>

namespace rondo::bind {

namespace {

// What a program of some seconds does not notice.
constexpr double usual_forming = 0.05;

constexpr std::array<std::string_view, 3> mode_names = {"off", "measured", "always"};

void complain(Settings& settings, const char* variable, const std::string& value,
              const char* expected) {
  if (!settings.complaint.empty()) return;
  settings.complaint = std::string(variable) + "=" + value + ": expected " + expected;
  settings.mode = Mode::off;
}

}  // namespace

std::string_view name(Mode mode) {
  return mode_names[static_cast<std::size_t>(mode)];
}

std::optional<std::string> environment(const char* variable) {
  const char* value = std::getenv(variable);
  if (value == nullptr || *value == '\0') return std::nullopt;
  return value;
}

Settings read_settings(const Lookup& lookup) {
  Settings settings;
  if (const auto mode = lookup("RONDO_MPI")) {
    std::size_t found = 0;
    while (found < mode_names.size() && mode_names[found] != *mode) ++found;
    if (found < mode_names.size()) {
      settings.mode = static_cast<Mode>(found);
    } else {
      complain(settings, "RONDO_MPI", *mode, "always, measured or off");
    }
  }
  if (settings.mode == Mode::always) settings.calls_before = 0;
  if (settings.mode == Mode::measured) settings.most_forming = usual_forming;
  if (const auto after = lookup("RONDO_MPI_AFTER")) {
    const char* end = after->data() + after->size();
    const auto read = std::from_chars(after->data(), end, settings.calls_before);
    settings.most_forming = 0;
    if (read.ec != std::errc() || read.ptr != end) {
      complain(settings, "RONDO_MPI_AFTER", *after, "a number of calls");
    }
  }
  settings.stats_file = lookup("RONDO_STATS").value_or("");
  const std::string table = lookup("RONDO_STATS_TABLE").value_or("0");
  if (table != "0" && table != "1") complain(settings, "RONDO_STATS_TABLE", table, "0 or 1");
  settings.prints_table = table == "1";
  return settings;
}

}  // namespace rondo::bind
