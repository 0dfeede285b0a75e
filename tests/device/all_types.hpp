#pragma once

// For tests of every type of elements.

#include <gtest/gtest.h>

#include <tuple>

#include "device/kernels/table.hpp"

namespace rondo::test {

template <class Tuple>
struct TypesOf;
template <class... Ts>
struct TypesOf<std::tuple<Ts...>> {
  using Type = ::testing::Types<Ts...>;
};
using AllTypes = TypesOf<element::Types>::Type;

}  // namespace rondo::test
