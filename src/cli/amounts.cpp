#include "cli/amounts.hpp"

#include <charconv>
#include <cmath>

#include "base/text.hpp"
#include "base/words.hpp"
#include "cli/arguments.hpp"

namespace rondo::cli {

namespace {

// No table has more lines.
constexpr std::size_t most_amounts = 1000;

std::uint64_t parse_amount(std::string_view what, std::string_view text, std::uint64_t low,
                           std::uint64_t high) {
  const auto refuse = [&] {
    return UsageError(concat(what, " is a number from ", low, " to ", high, ", not '", text, "'"));
  };
  const std::optional<std::uint64_t> value = parse_bytes(text);
  if (!value || *value < low || *value > high) throw refuse();
  return *value;
}

}  // namespace

std::vector<std::uint64_t> parse_amounts(std::string_view what, std::string_view text,
                                         std::uint64_t low, std::uint64_t high,
                                         std::uint64_t factor) {
  std::vector<std::uint64_t> amounts;
  const std::vector<std::string_view> range = split(text, ':');
  if (range.size() == 1) {
    for (const std::string_view part : split(text, ',')) {
      amounts.push_back(parse_amount(what, part, low, high));
    }
    return amounts;
  }
  if (range.size() > 3) {
    throw UsageError(concat(what, " is FROM:TO or FROM:TO:FACTOR, not '", text, "'"));
  }
  const std::uint64_t from = parse_amount(what, range[0], low, high);
  const std::uint64_t to = parse_amount(what, range[1], low, high);
  if (range.size() == 3) factor = parse_amount(concat("the factor of ", what), range[2], 2, high);
  if (from == 0 || from > to) {
    throw UsageError(concat(what, " goes from 1 or more upwards, not '", text, "'"));
  }
  for (std::uint64_t value = from; amounts.size() < most_amounts; value *= factor) {
    amounts.push_back(value);
    if (value > to / factor) break;
  }
  return amounts;
}

double parse_real(std::string_view what, std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value) ||
      value < 0) {
    throw UsageError(concat(what, " is a number from 0 on, not '", text, "'"));
  }
  return value;
}

}  // namespace rondo::cli
