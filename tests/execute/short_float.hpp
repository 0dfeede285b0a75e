#pragma once

#include <type_traits>

#include "rondo/types.hpp"

namespace rondo::testing {

/// Folded as float32.
template <class T>
constexpr bool is_short_float = !std::is_arithmetic_v<T>;

}  // namespace rondo::testing
