#pragma once

#include <string>

#include "rondo/error.hpp"

namespace rondo {

/// Throws Error{invalid_argument}.
[[noreturn]] inline void refuse(const std::string& text) {
  throw Error(ErrorCode::invalid_argument, text);
}

}  // namespace rondo
