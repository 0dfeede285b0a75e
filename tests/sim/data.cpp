#include "sim/data.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "base/hash.hpp"
#include "base/text.hpp"

namespace rondo::sim {

namespace {

constexpr std::size_t guard_bytes = 64;
constexpr auto guard_value = std::byte{0x5a};
constexpr auto unset_value = std::byte{0xa5};

// Sums of nine such numbers are exact in T.
template <class T>
constexpr std::uint64_t largest_input = std::is_same_v<T, bf16>    ? 28
                                        : std::is_same_v<T, f16>   ? 220
                                        : std::is_same_v<T, float> ? 1000000
                                                                   : std::uint64_t{1} << 40;

// The element of a rank at an index of the vector.
template <class T>
T input(Op op, int rank, std::size_t index) {
  const std::uint64_t bits = splitmix((static_cast<std::uint64_t>(rank) << 32) + index);
  if constexpr (std::is_integral_v<T>) {
    // What the others give leaves most of each rank's zeros, or ones, to be seen.
    const auto bit = static_cast<T>(std::uint64_t{1} << bits % (8 * sizeof(T)));
    switch (op) {
      case Op::band:
        return static_cast<T>(~bit);
      case Op::bor:
        return bit;
      case Op::land:
        return (bits >> 8) % 8 == 0 ? T{0} : bit;
      case Op::lor:
        return (bits >> 8) % 8 == 0 ? bit : T{0};
      case Op::lxor:
        return (bits >> 8) % 2 == 0 ? bit : T{0};
      default:
        return static_cast<T>(bits);
    }
  } else if constexpr (sizeof(T) == 1) {
    // Of up to nine, all partial sums are from -8 to 5, and so exact; and so are all products.
    return T(rank % 2 == 0 ? 1.0f : bits % 2 == 0 ? -1.0f : -2.0f);
  } else {
    // Powers of two keep products exact.
    const std::uint64_t number = op == Op::prod ? 1 + bits % 2 : 1 + bits % largest_input<T>;
    using Wide = std::conditional_t<std::is_same_v<T, double>, double, float>;
    return T(static_cast<Wide>(number));
  }
}

template <class T>
T combine_bits(Op op, T a, T b) {
  switch (op) {
    case Op::band:
      return a & b;
    case Op::bor:
      return a | b;
    case Op::bxor:
      return a ^ b;
    case Op::land:
      return a != 0 && b != 0;
    case Op::lor:
      return a != 0 || b != 0;
    default:
      return (a != 0) != (b != 0);
  }
}

template <class T>
T fold(Op op, int ranks, std::size_t index) {
  if constexpr (std::is_integral_v<T>) {
    if (op >= Op::band) {
      T bits = input<T>(op, 0, index);
      for (int rank = 1; rank < ranks; ++rank) {
        bits = combine_bits(op, bits, input<T>(op, rank, index));
      }
      return bits;
    }
  }
  using Wide = std::conditional_t<std::is_integral_v<T>, std::uint64_t,
                                  std::conditional_t<std::is_same_v<T, double>, double, float>>;
  T least = input<T>(op, 0, index);
  T greatest = least;
  auto sum = static_cast<Wide>(least);
  auto product = sum;
  for (int rank = 1; rank < ranks; ++rank) {
    const T next = input<T>(op, rank, index);
    using Comparable = std::conditional_t<std::is_integral_v<T>, T, Wide>;
    if (static_cast<Comparable>(next) < static_cast<Comparable>(least)) least = next;
    if (static_cast<Comparable>(next) > static_cast<Comparable>(greatest)) greatest = next;
    sum += static_cast<Wide>(next);
    product *= static_cast<Wide>(next);
  }
  if (op == Op::min) return least;
  if (op == Op::max) return greatest;
  if (op == Op::prod) return static_cast<T>(product);
  if (op == Op::sum) return static_cast<T>(sum);
  if constexpr (std::is_unsigned_v<T>) {
    return static_cast<T>(static_cast<T>(sum) / static_cast<std::uint64_t>(ranks));
  } else if constexpr (std::is_integral_v<T>) {
    return static_cast<T>(static_cast<T>(sum) / std::int64_t{ranks});
  } else {
    return static_cast<T>(sum / static_cast<Wide>(ranks));
  }
}

// What element `index` of `out` must be.
template <class T>
T expected(const Task& task, int rank, std::size_t index) {
  const Plan& plan = task.plan;
  switch (plan.collective) {
    case Collective::broadcast:
      return input<T>(task.op, plan.root, index);
    case Collective::allgather:
    case Collective::gather:
      return input<T>(task.op, static_cast<int>(index / task.count), index % task.count);
    case Collective::scatter:
      return input<T>(task.op, plan.root, static_cast<std::size_t>(rank) * task.count + index);
    case Collective::alltoall:
      return input<T>(task.op, static_cast<int>(index / task.count),
                      static_cast<std::size_t>(rank) * task.count + index % task.count);
    case Collective::scan:
      return fold<T>(task.op, rank + 1, index);
    case Collective::exscan:
      return fold<T>(task.op, rank, index);
    case Collective::reduce_scatter:
      return fold<T>(task.op, plan.ranks, static_cast<std::size_t>(rank) * task.count + index);
    case Collective::allreduce:
    case Collective::reduce:
    case Collective::barrier:
      break;
  }
  return fold<T>(task.op, plan.ranks, index);
}

// Calls visit with a value of the C++ type.
template <class Visitor>
auto with_type(DType dtype, Visitor visit) {
  switch (dtype) {
    case DType::i8:
      return visit(std::int8_t{});
    case DType::u8:
      return visit(std::uint8_t{});
    case DType::i16:
      return visit(std::int16_t{});
    case DType::u16:
      return visit(std::uint16_t{});
    case DType::i32:
      return visit(std::int32_t{});
    case DType::u32:
      return visit(std::uint32_t{});
    case DType::i64:
      return visit(std::int64_t{});
    case DType::u64:
      return visit(std::uint64_t{});
    case DType::f16:
      return visit(f16{});
    case DType::bf16:
      return visit(bf16{});
    case DType::f32:
      return visit(float{});
    case DType::f8e4m3:
      return visit(f8e4m3{});
    case DType::f8e5m2:
      return visit(f8e5m2{});
    case DType::f64:
      break;
  }
  return visit(double{});
}

bool guards_intact(const std::vector<std::byte>& memory) {
  const auto is_guard = [](std::byte b) { return b == guard_value; };
  return memory.empty() || (std::all_of(memory.begin(), memory.begin() + guard_bytes, is_guard) &&
                            std::all_of(memory.end() - guard_bytes, memory.end(), is_guard));
}

template <class T>
T load(const std::byte* from, std::size_t index) {
  T value;
  std::memcpy(&value, from + index * sizeof(T), sizeof(T));
  return value;
}

}  // namespace

std::string describe(const Task& task) {
  const Plan& plan = task.plan;
  return concat(name(plan.algorithm), " ", name(plan.collective), ", ", plan.ranks, " ranks, root ",
                plan.root, ", radix ", plan.radix, ", channels ", plan.channels,
                plan.arrangement ? ", arranged, " : ", ", task.count, " ", name(task.dtype), " ",
                name(task.op), ", tiles of ", task.tile_bytes, " bytes, ",
                task.in_place ? "in place" : "out of place", ", chunks of ", task.chunk_bytes,
                " bytes");
}

std::size_t Buffers::in_blocks() const {
  const Plan& plan = task_.plan;
  const bool from_root =
      plan.collective == Collective::broadcast || plan.collective == Collective::scatter;
  if (from_root && rank_ != plan.root) return 0;
  const bool whole = has_blocks(plan.collective) && !gives_own_block(plan.collective);
  return whole ? static_cast<std::size_t>(plan.ranks) : 1;
}

std::size_t Buffers::out_blocks() const {
  const Plan& plan = task_.plan;
  const bool to_root =
      plan.collective == Collective::reduce || plan.collective == Collective::gather;
  if (to_root && rank_ != plan.root) return 0;
  if (plan.collective == Collective::exscan && rank_ == 0) return 0;
  const bool whole = has_blocks(plan.collective) && !gets_own_block(plan.collective);
  return whole ? static_cast<std::size_t>(plan.ranks) : 1;
}

std::byte* Buffers::make_region(std::vector<std::byte>& memory, std::size_t blocks) {
  const std::size_t bytes = blocks * task_.count * size_of(task_.dtype);
  memory.assign(bytes + 2 * guard_bytes, guard_value);
  std::byte* begin = memory.data() + guard_bytes;
  std::fill_n(begin, bytes, unset_value);
  return begin;
}

Buffers::Buffers(const Task& task, int rank) : task_(task), rank_(rank) {
  const std::size_t ins = in_blocks();
  const std::size_t outs = out_blocks();
  const std::size_t own =
      static_cast<std::size_t>(rank) * task.count * size_of(task.dtype);  // block of this rank
  if (task.in_place && ins > 0 && outs > 0) {
    std::byte* memory = make_region(in_memory_, std::max(ins, outs));
    in_ = outs > ins ? memory + own : memory;
    out_ = ins > outs ? memory + own : memory;
  } else {
    if (ins > 0) in_ = make_region(in_memory_, ins);
    if (outs > 0) out_ = make_region(out_memory_, outs);
  }
  if (in_ != nullptr) with_type(task.dtype, [this](auto type) { fill<decltype(type)>(); });
}

template <class T>
void Buffers::fill() {
  for (std::size_t i = 0; i < in_blocks() * task_.count; ++i) {
    const T value = input<T>(task_.op, rank_, i);
    std::memcpy(in_ + i * sizeof(T), &value, sizeof(T));
  }
}

template <class T>
std::optional<std::string> Buffers::check_elements() const {
  const std::size_t outs = out_ == nullptr ? 0 : out_blocks() * task_.count;
  for (std::size_t i = 0; i < outs; ++i) {
    if (load<T>(out_, i) != expected<T>(task_, rank_, i)) {
      return concat("element ", i, " of the result of rank ", rank_, " is wrong");
    }
  }
  const std::size_t ins = in_ == nullptr ? 0 : in_blocks() * task_.count;
  for (std::size_t i = 0; i < ins; ++i) {
    const std::byte* element = in_ + i * sizeof(T);
    const bool overwritten =
        out_ != nullptr && element >= out_ && element < out_ + outs * sizeof(T);
    if (!overwritten && load<T>(in_, i) != input<T>(task_.op, rank_, i)) {
      return concat("element ", i, " of the input of rank ", rank_, " was written");
    }
  }
  return std::nullopt;
}

std::optional<std::string> Buffers::check() const {
  if (!guards_intact(in_memory_) || !guards_intact(out_memory_)) {
    return concat("rank ", rank_, " wrote outside of its buffers");
  }
  return with_type(task_.dtype, [this](auto type) { return check_elements<decltype(type)>(); });
}

}  // namespace rondo::sim
