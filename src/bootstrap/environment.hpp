#pragma once

// Reading environment variables strictly: what is malformed is an error that says what is right.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "bootstrap/world.hpp"
#include "rondo/error.hpp"

namespace rondo {

struct Variable {
  std::string_view name;
  std::string_view meaning;  ///< one line
};

/// Every variable that rondo reads under its own name.
std::span<const Variable> environment_variables();
/// The same as aligned lines for a terminal.
std::string environment_text();

/// A variable of this process: the Lookup of all but tests.
std::optional<std::string> process_environment(std::string_view variable);
/// The variable's text; an empty one counts as not set.
std::optional<std::string> text_of(const Lookup& lookup, std::string_view variable);
/// The first of several variables that is set.
std::optional<std::string> first_text_of(const Lookup& lookup,
                                         std::span<const std::string_view> variables);
/// The variable as a whole number in [least, most].
Result<std::optional<std::int64_t>> integer_of(const Lookup& lookup, std::string_view variable,
                                               std::int64_t least, std::int64_t most);
/// The same, with a binary suffix K, M or G allowed.
Result<std::optional<std::int64_t>> bytes_of(const Lookup& lookup, std::string_view variable,
                                             std::int64_t least, std::int64_t most);
/// Where texts that were found out outlive the process: RONDO_CACHE_DIR, else rondo/ in
/// XDG_CACHE_HOME or ~/.cache. Empty where none of them is set.
std::string cache_folder(const Lookup& lookup);

/// invalid_argument: "RONDO_RADIX=one: expected …".
Error malformed(std::string_view variable, std::string_view value, std::string_view expected);

/// Digits only, in [least, most].
std::optional<std::int64_t> parse_integer(std::string_view text, std::int64_t least,
                                          std::int64_t most);

}  // namespace rondo
