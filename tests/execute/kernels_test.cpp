// The kernels of each instruction set that this machine has, bit for bit against one scalar
// reference, for all types, operations and ways to store.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <type_traits>
#include <vector>

#include "base/hash.hpp"
#include "base/text.hpp"
#include "execute/isa.hpp"
#include "execute/reduction.hpp"
#include "short_float.hpp"

namespace rondo {
namespace {

constexpr std::size_t line = 64;     // the widest vector
constexpr std::size_t margin = 128;  // around the elements: nothing there may change
constexpr std::size_t most_sources = 20;
constexpr std::size_t longest = 12 * 1024;  // bytes: three blocks of the passes over many sources

template <class T>
using Wide = std::conditional_t<testing::is_short_float<T>, float, T>;
template <class T>
using Bits = std::conditional_t<
    sizeof(T) == 1, std::uint8_t,
    std::conditional_t<sizeof(T) == 2, std::uint16_t,
                       std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>>>;

// Any bit pattern: all integers, and 0 now and then; floats of all sizes, subnormals, infinities
// and NaNs of all kinds. Every other float is near 1, so that sums and products of many stay
// finite.
template <class T>
T input(std::size_t source, std::size_t index) {
  const std::uint64_t bits = splitmix(source * 7919 + index);
  if constexpr (std::is_integral_v<T>) {
    if (splitmix(bits) % 4 == 0) return 0;
  } else {
    if (index % 2 == 0) {
      return T(static_cast<float>(static_cast<int>(bits % 4001) - 2000) / 1536.0f);
    }
  }
  return std::bit_cast<T>(static_cast<Bits<T>>(bits));
}

template <class T>
T fold_reference(Op op, T a, T b) {
  if constexpr (std::is_integral_v<T>) {
    const auto left = static_cast<std::uint64_t>(a);
    const auto right = static_cast<std::uint64_t>(b);
    switch (op) {
      case Op::min:
      case Op::max:
        return (op == Op::min) == (a < b) ? a : b;
      case Op::band:
        return static_cast<T>(left & right);
      case Op::bor:
        return static_cast<T>(left | right);
      case Op::bxor:
        return static_cast<T>(left ^ right);
      case Op::land:
        return a != 0 && b != 0 ? T{1} : T{0};
      case Op::lor:
        return a != 0 || b != 0 ? T{1} : T{0};
      case Op::lxor:
        return (a != 0) != (b != 0) ? T{1} : T{0};
      default:
        return static_cast<T>(op == Op::prod ? left * right : left + right);
    }
  } else {
    if (op == Op::prod) return a * b;
    if (op == Op::sum || op == Op::avg) return a + b;
    const auto x = std::bit_cast<Bits<T>>(a);
    const auto y = std::bit_cast<Bits<T>>(b);
    if (a < b) return op == Op::min ? a : b;
    if (b < a) return op == Op::min ? b : a;
    // Equal, which may be zeros of both signs, or not comparable: bits that either has, but for max
    // the sign that both have.
    constexpr Bits<T> sign = Bits<T>{1} << (8 * sizeof(T) - 1);
    if (op == Op::max) return std::bit_cast<T>(((x | y) & ~sign) | (x & y & sign));
    return std::bit_cast<T>(x | y);
  }
}

// The result of one element after another, with the divisions of integers done in 64 bits.
template <class T>
T reference(Op op, const std::vector<std::vector<T>>& inputs, std::size_t sources, std::size_t i,
            int divisor) {
  const bool divides = op == Op::avg && divisor > 1;
  if (sources == 1 && !divides) return inputs[0][i];
  auto folded = static_cast<Wide<T>>(inputs[0][i]);
  for (std::size_t s = 1; s < sources; ++s) {
    folded = fold_reference(op, folded, static_cast<Wide<T>>(inputs[s][i]));
  }
  if constexpr (std::is_unsigned_v<T>) {
    if (divides) folded = static_cast<T>(std::uint64_t{folded} / static_cast<unsigned>(divisor));
  } else if constexpr (std::is_integral_v<T>) {
    if (divides) folded = static_cast<T>(std::int64_t{folded} / divisor);
  } else {
    if (divides) folded /= static_cast<Wide<T>>(divisor);
  }
  return static_cast<T>(folded);
}

template <class T>
bool is_quiet_nan(T value) {
  const auto wide = static_cast<Wide<T>>(value);
  const Bits<T> quiet = std::bit_cast<Bits<T>>(T(std::numeric_limits<float>::quiet_NaN()));
  return wide != wide && (std::bit_cast<Bits<T>>(value) & quiet) == quiet;
}

// Which NaN a sum or product is, is not said: on x86 that of one of two operands, whose order is up
// to the compiler.
template <class T>
bool same(Op op, T a, T b) {
  if (std::memcmp(&a, &b, sizeof(T)) == 0) return true;
  if constexpr (!std::is_integral_v<T>) {
    if (op != Op::min && op != Op::max) return is_quiet_nan(a) && is_quiet_nan(b);
  }
  return false;
}

struct Case {
  Isa isa;
  Store store;
  Op op;
  std::size_t sources;
  int divisor;
};

struct Place {
  std::size_t count;
  std::size_t offset;  // bytes off a line, of the destination
  std::size_t alias;   // the source that is the destination; none if this is `sources`
};

// Memory for all sources and a destination of its own, each at an offset of its own.
template <class T>
class Memory {
 public:
  explicit Memory(const std::vector<std::vector<T>>& inputs) : inputs_(&inputs) {
    for (std::size_t s = 0; s <= inputs.size(); ++s) {
      buffers_.emplace_back(longest + 2 * margin + 2 * line);
    }
  }

  // Puts everything at offsets from `offset`. What stands around the elements is not zero.
  void arrange(std::size_t offset) {
    for (std::size_t s = 0; s < buffers_.size(); ++s) {
      std::ranges::fill(buffers_[s], std::byte{0x5a});
      const auto address = reinterpret_cast<std::uintptr_t>(buffers_[s].data()) + margin;
      const std::size_t shift = (offset + s * offset) % line;
      begins_.resize(buffers_.size());
      begins_[s] = buffers_[s].data() + margin + (line - address % line) % line + shift;
      if (s < inputs_->size()) std::memcpy(begins_[s], (*inputs_)[s].data(), longest);
    }
    untouched_ = buffers_;
  }

  // Empty if all is well.
  std::string run(const Case& c, const Place& p, const std::vector<T>& expected) {
    const std::size_t target = p.alias < c.sources ? p.alias : buffers_.size() - 1;
    const std::array<const std::byte*, most_sources> places = sources(c.sources);
    std::array<const void*, most_sources> pointers{};
    std::ranges::copy(places, pointers.begin());
    std::byte* const result = begins_[target];
    reduce(dtype_of<T>::value, c.op, result, std::span(pointers.data(), c.sources), p.count,
           c.divisor, c.store);
    const std::string wrong = compare(c.op, result, p.count, expected);
    // What was there before, and after it.
    std::vector<std::byte>& buffer = buffers_[target];
    const std::vector<std::byte>& before = untouched_[target];
    const auto begin = static_cast<std::size_t>(result - buffer.data());
    std::memcpy(result, before.data() + begin, p.count * sizeof(T));
    const std::size_t around = begin + p.count * sizeof(T) + margin;
    const bool intact = std::memcmp(buffer.data(), before.data(), around) == 0;
    return intact ? wrong : "bytes around the destination were written";
  }

  bool is_untouched() const { return buffers_ == untouched_; }

 private:
  std::array<const std::byte*, most_sources> sources(std::size_t count) const {
    std::array<const std::byte*, most_sources> places{};
    std::copy_n(begins_.begin(), count, places.begin());
    return places;
  }

  static std::string compare(Op op, const std::byte* result, std::size_t count,
                             const std::vector<T>& expected) {
    if (std::memcmp(result, expected.data(), count * sizeof(T)) == 0) return "";
    for (std::size_t i = 0; i < count; ++i) {
      T value;
      std::memcpy(&value, result + i * sizeof(T), sizeof(T));
      if (!same(op, value, expected[i])) {
        return concat("element ", i, " is ", +std::bit_cast<Bits<T>>(value), " instead of ",
                      +std::bit_cast<Bits<T>>(expected[i]), " (as bits)");
      }
    }
    return "";
  }

  const std::vector<std::vector<T>>* inputs_;
  std::vector<std::vector<std::byte>> buffers_;
  std::vector<std::vector<std::byte>> untouched_;
  std::vector<std::byte*> begins_;
};

std::vector<Isa> supported() {
  std::vector<Isa> found;
  for (const Isa isa : {Isa::baseline, Isa::avx2, Isa::avx512}) {
    if (is_supported(isa)) found.push_back(isa);
  }
  return found;
}

template <class T>
class KernelsTest : public ::testing::Test {
 protected:
  ~KernelsTest() override { use_isa(initial_); }

  std::vector<T> results(const Case& c, std::size_t count) const {
    std::vector<T> all;
    for (std::size_t i = 0; i < count; ++i) {
      all.push_back(reference(c.op, inputs_, c.sources, i, c.divisor));
    }
    return all;
  }

  // All instruction sets, ways to store and operations at these places.
  void expect_all(std::size_t sources, const std::vector<std::size_t>& counts,
                  const std::vector<std::size_t>& offsets,
                  const std::vector<std::size_t>& aliases) {
    for (const std::size_t offset : offsets) {
      memory_.arrange(offset);
      for (int i = 0; i < op_count; ++i) {
        const auto op = static_cast<Op>(i);
        if (!is_defined(op, dtype_of<T>::value)) continue;
        const int divisor = op == Op::avg && offset > 0 ? static_cast<int>(sources) + 2 : 1;
        Case c = {Isa::baseline, Store::cached, op, sources, divisor};
        const std::vector<T> expected = results(c, counts.back());
        for (c.isa = Isa::baseline; const Isa isa : supported()) {
          use_isa(c.isa = isa);
          for (const Store store : {Store::cached, Store::streaming}) {
            c.store = store;
            for (const std::size_t count : counts) {
              for (const std::size_t alias : aliases) {
                const std::string wrong = memory_.run(c, {count, offset, alias}, expected);
                ASSERT_EQ(wrong, "")
                    << name(dtype_of<T>::value) << " " << name(op) << " of " << sources
                    << " sources with " << name(isa) << (store == Store::cached ? "" : " streaming")
                    << ", " << count << " elements, offset " << offset << ", alias " << alias
                    << ", divisor " << divisor;
              }
            }
          }
        }
      }
      ASSERT_TRUE(memory_.is_untouched()) << "a source was written";
    }
  }

 private:
  static std::vector<std::vector<T>> make_inputs() {
    std::vector<std::vector<T>> inputs(most_sources);
    for (std::size_t s = 0; s < most_sources; ++s) {
      for (std::size_t i = 0; i < longest / sizeof(T); ++i) inputs[s].push_back(input<T>(s, i));
    }
    return inputs;
  }

  Isa initial_ = isa_in_use();
  std::vector<std::vector<T>> inputs_ = make_inputs();
  Memory<T> memory_{inputs_};
};
using Types = ::testing::Types<std::int8_t, std::uint8_t, std::int16_t, std::uint16_t, std::int32_t,
                               std::uint32_t, std::int64_t, std::uint64_t, f16, bf16, float, double,
                               f8e4m3, f8e5m2>;
TYPED_TEST_SUITE(KernelsTest, Types);

// Up to three of the widest vectors, with any of the sources as the destination.
TYPED_TEST(KernelsTest, ShortOnesAtAnyPlace) {
  std::vector<std::size_t> counts;
  for (std::size_t i = 0; i * sizeof(TypeParam) <= 3 * line; ++i) counts.push_back(i);
  for (std::size_t sources = 1; sources <= 9; ++sources) {
    this->expect_all(sources, counts, {0, 1, sizeof(TypeParam)}, {sources, 0, sources - 1});
  }
}

// So long that the loops over several vectors run, and so many that there are several passes.
TYPED_TEST(KernelsTest, LongOnes) {
  constexpr std::size_t size = sizeof(TypeParam);
  const std::vector<std::size_t> counts = {8 * line / size,      9 * line / size + 1,
                                           16 * line / size - 1, 4096 / size,
                                           4096 / size + 3,      longest / size};
  const std::vector<std::size_t> offsets = {0, 3, 2 * size, 56};
  for (const std::size_t sources : {1, 2, 3, 8, 9, 16, 17, 20}) {
    std::vector<std::size_t> aliases;
    for (std::size_t alias = 0; alias <= sources; ++alias) aliases.push_back(alias);
    this->expect_all(sources, counts, offsets, aliases);
  }
}

TEST(Isa, NamesGoBothWays) {
  for (const Isa isa : {Isa::baseline, Isa::avx2, Isa::avx512}) {
    EXPECT_EQ(parse_isa(name(isa)), isa);
  }
  EXPECT_EQ(parse_isa("sse9"), std::nullopt);
}

// Whatever the places, types and instruction sets: the same bits as from reduce(), in both places,
// and nothing around them.
TEST(IntoBoth, GivesBothPlacesTheResultOfOne) {
  constexpr std::size_t most = 5000;
  constexpr std::size_t room = 128;
  constexpr auto around = std::byte{0xa5};
  std::array<std::vector<std::byte>, 2> inputs;
  for (std::size_t i = 0; i < most + room; ++i) {  // no NaN among them
    inputs[0].push_back(static_cast<std::byte>(i * 37 % 61));
    inputs[1].push_back(static_cast<std::byte>(i * 11 % 53));
  }
  const Isa initial = isa_in_use();
  for (const Isa isa : supported()) {
    use_isa(isa);
    for (int i = 0; i < dtype_count * op_count; ++i) {
      const auto dtype = static_cast<DType>(i % dtype_count);
      const auto op = static_cast<Op>(i / dtype_count);
      if (!is_defined(op, dtype)) continue;
      const std::size_t size = size_of(dtype);
      const int divisor = op == Op::avg ? 3 : 1;
      for (const std::size_t bytes : {std::size_t{0}, size, 40 * size, most / size * size}) {
        for (const auto& [one, other] : {std::pair{0u, 0u}, {16u, 16u}, {16u, 8u}, {1u, 1u}}) {
          const std::array<const void*, 2> sources = {inputs[0].data() + one, inputs[1].data()};
          std::vector<std::byte> expected(bytes);
          reduce(dtype, op, expected.data(), sources, bytes / size, divisor);
          for (const Store store : {Store::cached, Store::streaming}) {
            std::vector<std::byte> first(bytes + 2 * room, around);
            std::vector<std::byte> second(bytes + 2 * room, around);
            const auto place = [&](std::vector<std::byte>& memory, std::size_t offset) {
              const auto address = reinterpret_cast<std::uintptr_t>(memory.data());
              return memory.data() + (64 - address % 64) + offset;
            };
            Reduction(dtype, op).into_both(place(first, one), place(second, other), store, sources,
                                           bytes / size, divisor);
            for (const auto& [memory, offset] : {std::pair{&first, one}, {&second, other}}) {
              std::byte* const begin = place(*memory, offset);
              ASSERT_TRUE(std::equal(expected.begin(), expected.end(), begin))
                  << name(dtype) << " " << name(op) << " with " << name(isa) << ", " << bytes
                  << " bytes at " << one << " and " << other;
              std::fill_n(begin, bytes, around);
              ASSERT_EQ(std::count(memory->begin(), memory->end(), around), memory->size());
            }
          }
        }
      }
    }
  }
  use_isa(initial);
}

TEST(CopyBytes, CopiesAllOfThemAndNothingElse) {
  constexpr std::size_t room = 128;
  constexpr auto around = std::byte{0xa5};
  std::vector<std::byte> source;
  for (std::size_t i = 0; i < 10000 + room; ++i) source.push_back(static_cast<std::byte>(i % 157));
  for (const std::size_t bytes : {0, 1, 63, 127, 511, 512, 513, 1024, 8192, 9999}) {
    for (const std::size_t from : {0, 3, 64}) {
      for (const std::size_t to : {room, room + 1, room + 61}) {
        for (const Store store : {Store::cached, Store::streaming}) {
          std::vector<std::byte> target(bytes + 2 * room, around);
          const auto begin = target.begin() + static_cast<std::ptrdiff_t>(to);
          copy_bytes(&*begin, source.data() + from, bytes, store);
          ASSERT_TRUE(std::equal(begin, begin + static_cast<std::ptrdiff_t>(bytes),
                                 source.begin() + static_cast<std::ptrdiff_t>(from)))
              << bytes << " bytes from " << from << " to " << to;
          std::fill_n(begin, bytes, around);
          ASSERT_EQ(std::count(target.begin(), target.end(), around), target.size());
        }
      }
    }
  }
}

TEST(Isa, TheLastSupportedOneIsUsedUnlessToldOtherwise) {
  const Isa best = isa_in_use();
  for (const Isa isa : {Isa::baseline, Isa::avx2, Isa::avx512}) {
    EXPECT_TRUE(isa <= best || !is_supported(isa)) << name(isa);
  }
  EXPECT_NE(supported_isas().find(name(best)), std::string::npos);
  const Reduction kept(DType::f32, Op::sum);
  use_isa(Isa::baseline);
  EXPECT_EQ(isa_in_use(), Isa::baseline);
  EXPECT_EQ(kept == Reduction(DType::f32, Op::sum), best == Isa::baseline);
  use_isa(best);
  EXPECT_EQ(Reduction(DType::f32, Op::sum), kept);
}

}  // namespace
}  // namespace rondo
