#pragma once

#include <type_traits>

#include "rondo/types.hpp"

namespace rondo::testing {

template <class T>
constexpr bool is_half = std::is_same_v<T, f16> || std::is_same_v<T, bf16>;

}  // namespace rondo::testing
