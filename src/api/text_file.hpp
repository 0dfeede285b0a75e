#pragma once

#include <string>

#include "rondo/error.hpp"

namespace rondo {

/// All that a file holds. The Error says why it cannot be read, but not which file it is.
Result<std::string> read_text_file(const std::string& path);

}  // namespace rondo
