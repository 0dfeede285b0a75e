#pragma once

#include <type_traits>
#include <utility>

#include "rondo/error.hpp"

namespace rondo {

/// From inside, where functions return a Result, to where they throw.
template <class T>
T value_or_throw(Result<T> result) {
  if (!result) throw result.error();
  if constexpr (!std::is_void_v<T>) return std::move(result).value();
}

}  // namespace rondo
