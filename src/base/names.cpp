// Names of the enumerations of types.hpp and error.hpp, in one table each.

#include <array>
#include <cstddef>

#include "rondo/error.hpp"
#include "rondo/types.hpp"

namespace rondo {

namespace {

template <class Enum, std::size_t n>
std::optional<Enum> find(const std::array<std::string_view, n>& names, std::string_view text) {
  for (std::size_t i = 0; i < n; ++i) {
    if (names[i] == text) return static_cast<Enum>(i);
  }
  return std::nullopt;
}

constexpr std::array<std::string_view, dtype_count> dtype_names = {
    "i8",  "u8",  "i16",  "u16", "i32", "u32",    "i64",
    "u64", "f16", "bf16", "f32", "f64", "f8e4m3", "f8e5m2"};
constexpr std::array<std::string_view, op_count> op_names = {
    "sum", "prod", "min", "max", "avg", "band", "bor", "bxor", "land", "lor", "lxor"};
constexpr std::array<std::string_view, collective_count> collective_names = {
    "allreduce", "broadcast", "allgather", "reduce_scatter", "reduce", "barrier",
    "gather",    "scatter",   "alltoall",  "scan",           "exscan"};
constexpr std::array<std::string_view, 12> error_names = {
    "invalid_argument", "mismatch", "timeout",     "peer_lost", "peer_left", "aborted",
    "join_failed",      "protocol", "unsupported", "resource",  "io",        "internal"};

}  // namespace

std::string_view name(DType dtype) {
  return dtype_names[static_cast<std::size_t>(dtype)];
}
std::string_view name(Op op) {
  return op_names[static_cast<std::size_t>(op)];
}
std::string_view name(Collective c) {
  return collective_names[static_cast<std::size_t>(c)];
}
std::string_view name(ErrorCode code) {
  return error_names[static_cast<std::size_t>(code)];
}

std::optional<DType> parse_dtype(std::string_view text) {
  return find<DType>(dtype_names, text);
}
std::optional<Op> parse_op(std::string_view text) {
  return find<Op>(op_names, text);
}
std::optional<Collective> parse_collective(std::string_view text) {
  return find<Collective>(collective_names, text);
}

}  // namespace rondo
