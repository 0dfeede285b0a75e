#include "base/units.hpp"

#include <array>
#include <charconv>
#include <iomanip>
#include <limits>
#include <sstream>

#include "base/text.hpp"

namespace rondo {

std::string bytes_text(std::uint64_t bytes) {
  constexpr std::array units = {" B", " KiB", " MiB", " GiB", " TiB"};
  std::size_t unit = 0;
  while (bytes >= 1024 && bytes % 1024 == 0 && unit + 1 < units.size()) {
    bytes /= 1024;
    ++unit;
  }
  return concat(bytes, units[unit]);
}

std::string seconds_text(double seconds) {
  constexpr std::array units = {" ns", " µs", " ms", " s"};
  double value = seconds * 1e9;
  std::size_t unit = 0;
  while (value >= 999.5 && unit + 1 < units.size()) {
    value /= 1000;
    ++unit;
  }
  std::ostringstream out;
  const int decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
  out << std::fixed << std::setprecision(value == 0 ? 0 : decimals) << value << units[unit];
  return out.str();
}

std::optional<std::uint64_t> parse_bytes(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc()) return std::nullopt;
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  if (unit.empty() || unit == "B") return value;
  constexpr std::array letters = {'K', 'M', 'G', 'T'};
  for (std::size_t i = 0; i < letters.size(); ++i) {
    const bool lower = unit.front() == letters[i] + ('a' - 'A');
    if (unit.front() != letters[i] && !lower) continue;
    if (unit.size() > 1 && unit.substr(1) != "iB") return std::nullopt;
    const auto shift = static_cast<int>(10 * (i + 1));
    if (value > (std::numeric_limits<std::uint64_t>::max() >> shift)) return std::nullopt;
    return value << shift;
  }
  return std::nullopt;
}

}  // namespace rondo
