#pragma once

// A table of functions, one for each type of elements and operation.

#include <array>
#include <cstddef>
#include <tuple>
#include <utility>

#include "device/kernels/element.hpp"
#include "rondo/types.hpp"

namespace rondo::element {

/// In the order of DType.
using Types =
    std::tuple<std::int8_t, std::uint8_t, std::int16_t, std::uint16_t, std::int32_t, std::uint32_t,
               std::int64_t, std::uint64_t, f16, bf16, float, double, f8e4m3, f8e5m2>;
static_assert(std::tuple_size_v<Types> == dtype_count);

template <class Function>
using Table = std::array<std::array<Function, op_count>, dtype_count>;

template <class Function, template <class, Op> class Entry, std::size_t type, std::size_t op>
constexpr Function entry() {
  using T = std::tuple_element_t<type, Types>;
  static_assert(static_cast<std::size_t>(dtype_of<T>::value) == type);
  static_assert(
      is_foldable<T, static_cast<Op>(op)> == is_defined(static_cast<Op>(op), dtype_of<T>::value),
      "device/kernels/element.hpp needs a Fold for this operation");
  if constexpr (is_foldable<T, static_cast<Op>(op)>) {
    return Entry<T, static_cast<Op>(op)>::function;
  } else {
    return nullptr;
  }
}

template <class Function, template <class, Op> class Entry, std::size_t type, std::size_t... ops>
constexpr std::array<Function, op_count> make_row(std::index_sequence<ops...>) {
  return {entry<Function, Entry, type, ops>()...};
}

template <class Function, template <class, Op> class Entry, std::size_t... types>
constexpr Table<Function> make_rows(std::index_sequence<types...>) {
  return {make_row<Function, Entry, types>(std::make_index_sequence<op_count>())...};
}

/// Entry<T, op>::function for all T and op; null where is_defined() is false.
template <class Function, template <class, Op> class Entry>
constexpr Table<Function> make_table() {
  return make_rows<Function, Entry>(std::make_index_sequence<dtype_count>());
}

template <class Function>
constexpr Function find(const Table<Function>& table, DType dtype, Op op) {
  return table[static_cast<std::size_t>(dtype)][static_cast<std::size_t>(op)];
}

}  // namespace rondo::element
