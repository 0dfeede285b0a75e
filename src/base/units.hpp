#pragma once

// Numbers with units, as people write and read them.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace rondo {

/// "256 KiB", "4 B", "1000 B"
std::string bytes_text(std::uint64_t bytes);
/// "2.37 µs", with three digits
std::string seconds_text(double seconds);

/// "4", "4B", "32K", "32KiB", "1M", "1MiB", "2G", "2GiB"; powers of 1024.
std::optional<std::uint64_t> parse_bytes(std::string_view text);

}  // namespace rondo
