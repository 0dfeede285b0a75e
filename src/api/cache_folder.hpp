#pragma once

// Small texts in the folder that cache_folder() of bootstrap/environment.hpp names. Everything
// there may be deleted or edited at any time, and it may be missing or not writable: then things
// are found out again.

#include <optional>
#include <string>
#include <string_view>

namespace rondo {

/// Where the text of this name is kept; empty where there is no folder.
std::string cached_path(std::string_view name);

std::optional<std::string> read_cached(std::string_view name);

/// When the text was written, as "2025-03-01 17:05" of this place; empty where there is none.
std::string cached_since(std::string_view name);

/// Readers see the old text or the whole new one. Says nothing where it cannot be written.
void write_cached(std::string_view name, std::string_view text);

}  // namespace rondo
