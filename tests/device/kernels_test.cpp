// The kernels of devices against those of the processor: the same bits, but for which NaN a NaN is.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "all_types.hpp"
#include "base/hash.hpp"
#include "base/text.hpp"
#include "device/kernels/element.hpp"
#include "execute/reduction.hpp"
#include "harness.hpp"

namespace rondo::test {
namespace {

struct Case {
  std::size_t sources = 2;
  std::size_t destinations = 1;
  std::size_t count = 1000;
  std::size_t first_offset = 0;  ///< bytes that the buffers begin after a line of 256
  std::size_t next_offset = 0;   ///< and how many more each following one does
  int divisor = 1;
  bool in_place = false;  ///< the last source is the first destination
};

std::ostream& operator<<(std::ostream& out, const Case& c) {
  return out << c.count << " elements of " << c.sources << " sources, " << c.destinations
             << " destinations, offsets " << c.first_offset << " and " << c.next_offset
             << ", divisor " << c.divisor << (c.in_place ? ", in place" : "");
}

/// Buffers side by side in one piece of memory, with room between them that stays as it is.
class Arena {
 public:
  Arena(const Case& c, std::size_t element)
      : case_(c), buffers_(c.sources + c.destinations - (c.in_place ? 1 : 0)) {
    bytes_ = c.count * element;
    stride_ = (bytes_ + c.first_offset + buffers_ * c.next_offset + 511) / 256 * 256;
  }
  std::size_t size() const { return buffers_ * stride_; }
  std::size_t bytes() const { return bytes_; }
  std::vector<const void*> sources(const std::byte* base) const {
    std::vector<const void*> all;
    for (std::size_t s = 0; s < case_.sources; ++s) all.push_back(base + offset(s));
    return all;
  }
  std::vector<void*> destinations(std::byte* base) const {
    std::vector<void*> all;
    for (std::size_t d = 0; d < case_.destinations; ++d) {
      all.push_back(base + offset(case_.sources + d - (case_.in_place ? 1 : 0)));
    }
    return all;
  }

 private:
  std::size_t offset(std::size_t buffer) const {
    return buffer * stride_ + case_.first_offset + buffer * case_.next_offset;
  }

  Case case_;
  std::size_t buffers_;
  std::size_t bytes_;
  std::size_t stride_;
};

// All bit patterns, and of floats often ones that are worth a look: zeros, infinities, NaNs and
// numbers that are barely there.
template <class T>
T input(std::uint64_t number) {
  const std::uint64_t bits = splitmix(number);
  std::array<std::byte, sizeof(T)> first;
  std::memcpy(first.data(), &bits, sizeof(T));
  const T value = std::bit_cast<T>(first);
  if constexpr (!std::is_integral_v<T>) {
    constexpr std::array odd = {0.0f, -0.0f, INFINITY, -INFINITY, NAN, 1e-41f, -1e-41f, 1.0f};
    if (bits % 7 == 0) return T(odd[bits / 7 % odd.size()]);
    if (bits % 7 < 4) return T(static_cast<float>(static_cast<int>(bits % 4001) - 2000) / 64.0f);
  }
  return value;
}

template <class T>
bool same(const std::byte* left, const std::byte* right) {
  T a;
  T b;
  std::memcpy(&a, left, sizeof(T));
  std::memcpy(&b, right, sizeof(T));
  if constexpr (!std::is_integral_v<T>) {
    const auto x = element::widen(a);
    const auto y = element::widen(b);
    if (x != x && y != y) return true;
  }
  return std::memcmp(&a, &b, sizeof(T)) == 0;
}

class Bench {
 public:
  Bench() : stream_(runtime()), memory_(runtime(), Allocation::device, capacity) {}

  template <class T>
  std::string compare(Op op, const Case& c) {
    const Arena arena(c, sizeof(T));
    if (arena.size() > capacity) return "the test has too little memory";
    std::vector<std::byte> host(arena.size(), std::byte{0x5a});
    for (std::size_t s = 0; s < c.sources; ++s) {
      auto* const begin = static_cast<std::byte*>(const_cast<void*>(arena.sources(host.data())[s]));
      for (std::size_t i = 0; i < c.count; ++i) {
        const T value = input<T>(s * 104729 + i);
        std::memcpy(begin + i * sizeof(T), &value, sizeof(T));
      }
    }
    must(runtime().copy(stream_, memory_.bytes(), host.data(), host.size()));
    const auto sources = arena.sources(memory_.bytes());
    const auto destinations = arena.destinations(memory_.bytes());
    must(runtime().reduce(stream_, {.dtype = dtype_of<T>::value,
                                    .op = op,
                                    .sources = sources,
                                    .destinations = destinations,
                                    .count = c.count,
                                    .divisor = c.divisor}));
    std::vector<std::byte> got(host.size());
    must(runtime().copy(stream_, got.data(), memory_.bytes(), got.size()));
    must(runtime().synchronize(stream_));
    std::vector<std::byte> result(arena.bytes());
    reduce(dtype_of<T>::value, op, result.data(), arena.sources(host.data()), c.count, c.divisor);
    for (void* const destination : arena.destinations(host.data())) {
      std::copy(result.begin(), result.end(), static_cast<std::byte*>(destination));
    }
    return difference<T>(arena, host, got);
  }

 private:
  static constexpr std::size_t capacity = 8 << 20;

  template <class T>
  static std::string difference(const Arena& arena, std::vector<std::byte>& expected,
                                std::vector<std::byte>& got) {
    const auto wanted = arena.destinations(expected.data());
    const auto found = arena.destinations(got.data());
    for (std::size_t d = 0; d < wanted.size(); ++d) {
      auto* const left = static_cast<std::byte*>(wanted[d]);
      auto* const right = static_cast<std::byte*>(found[d]);
      for (std::size_t at = 0; at < arena.bytes(); at += sizeof(T)) {
        if (!same<T>(left + at, right + at)) return concat("element ", at / sizeof(T), " differs");
      }
      std::copy_n(left, arena.bytes(), right);  // the rest has to be the same to the bit
    }
    return expected == got ? "" : "bytes around the destinations were written";
  }

  Stream stream_;
  Memory memory_;
};

std::vector<Case> cases(std::size_t element) {
  std::vector<Case> all;
  for (const std::size_t count : {0, 1, 3, 40, 1000, 4099}) all.push_back({.count = count});
  for (const std::size_t sources : {1, 3, 9}) all.push_back({.sources = sources, .divisor = 3});
  all.push_back({.sources = DeviceReduction::most_sources, .count = 70});
  all.push_back({.first_offset = element});               // a head and a tail
  all.push_back({.sources = 3, .next_offset = element});  // elements
  all.push_back({.sources = 3, .first_offset = 1});       // bytes
  all.push_back({.sources = 3, .next_offset = 1});
  all.push_back({.sources = 4, .destinations = 4, .first_offset = element, .divisor = 300});
  for (const std::size_t next : {std::size_t{0}, element, std::size_t{1}}) {
    all.push_back({.sources = 3, .destinations = 2, .next_offset = next, .in_place = true});
  }
  return all;
}

template <class T>
class KernelTest : public ::testing::Test {};
TYPED_TEST_SUITE(KernelTest, AllTypes);

TYPED_TEST(KernelTest, MakesTheBitsOfTheProcessor) {
  Bench bench;
  for (int number = 0; number < op_count; ++number) {
    const auto op = static_cast<Op>(number);
    if (!is_defined(op, dtype_of<TypeParam>::value)) continue;
    for (const Case& c : cases(sizeof(TypeParam))) {
      ASSERT_EQ(bench.compare<TypeParam>(op, c), "")
          << name(dtype_of<TypeParam>::value) << " " << name(op) << ": " << c;
    }
  }
}

// What random numbers may miss.
template <class T>
std::vector<T> odd_values() {
  std::vector<T> values;
  for (const float value : {0.0f, 1.0f, INFINITY, NAN, 1e-41f, 65504.0f, 3e38f}) {
    values.push_back(T(value));
    values.push_back(T(-value));
  }
  return values;
}

template <class T>
std::vector<T> all_values() {
  std::vector<T> values;
  for (unsigned bits = 0; bits <= 0xff; ++bits) {
    values.push_back(std::bit_cast<T>(static_cast<std::uint8_t>(bits)));
  }
  return values;
}

// All pairs of these.
template <class T>
void expect_pairs_alike(const std::vector<T>& values) {
  using Bits = element::Modular<element::Wide<T>>;
  const std::size_t count = values.size() * values.size();
  std::vector<T> host;
  for (const T& a : values) {
    for (std::size_t b = 0; b < values.size(); ++b) host.push_back(a);
  }
  for (std::size_t a = 0; a < values.size(); ++a) {
    host.insert(host.end(), values.begin(), values.end());
  }
  const Memory memory(runtime(), Allocation::device, 3 * count * sizeof(T));
  const Stream stream(runtime());
  must(runtime().copy(stream, memory.bytes(), host.data(), host.size() * sizeof(T)));
  const std::array<const void*, 2> sources = {memory.as<T>(), memory.as<T>() + count};
  void* const destination = memory.as<T>() + 2 * count;
  for (const Op op : {Op::sum, Op::prod, Op::min, Op::max}) {
    must(runtime().reduce(stream, {.dtype = dtype_of<T>::value,
                                   .op = op,
                                   .sources = sources,
                                   .destinations = std::span(&destination, 1),
                                   .count = count}));
    std::vector<T> got(count);
    must(runtime().copy(stream, got.data(), destination, count * sizeof(T)));
    must(runtime().synchronize(stream));
    std::vector<T> expected(count);
    const std::array<const void*, 2> own = {host.data(), host.data() + count};
    reduce(dtype_of<T>::value, op, expected.data(), own, count);
    for (std::size_t i = 0; i < count; ++i) {
      ASSERT_TRUE(same<T>(reinterpret_cast<const std::byte*>(&expected[i]),
                          reinterpret_cast<const std::byte*>(&got[i])))
          << name(op) << " of " << element::widen(host[i]) << " and "
          << element::widen(host[count + i]) << ": " << std::hex
          << std::bit_cast<Bits>(element::widen(got[i]));
    }
  }
}

TEST(Kernels, TreatWhatIsOddAsTheProcessorDoes) {
  expect_pairs_alike(odd_values<f16>());
  expect_pairs_alike(odd_values<bf16>());
  expect_pairs_alike(odd_values<float>());
  expect_pairs_alike(odd_values<double>());
}

TEST(Kernels, TreatAllPairsOf8BitFloatsAsTheProcessorDoes) {
  expect_pairs_alike(all_values<f8e4m3>());
  expect_pairs_alike(all_values<f8e5m2>());
}

// The product rounded to float32 is one thing, the exact one another: were it one instruction with
// the addition of another step, or were small numbers flushed, the bits would differ.
TEST(Kernels, NeitherFuseNorFlush) {
  const std::array<float, 3> host = {1e-38f, 0.25f, 0.5f};
  const Memory memory(runtime(), Allocation::device, 16);
  const Stream stream(runtime());
  must(runtime().copy(stream, memory.bytes(), host.data(), sizeof(host)));
  const std::array<const void*, 3> sources = {memory.as<float>(), memory.as<float>() + 1,
                                              memory.as<float>() + 2};
  void* const destination = memory.as<float>() + 3;
  must(runtime().reduce(stream, {.dtype = DType::f32,
                                 .op = Op::prod,
                                 .sources = sources,
                                 .destinations = std::span(&destination, 1),
                                 .count = 1}));
  float got = 0;
  must(runtime().copy(stream, &got, destination, sizeof(got)));
  must(runtime().synchronize(stream));
  EXPECT_EQ(got, 1e-38f * 0.25f * 0.5f);
  EXPECT_GT(got, 0.0f);
}

TEST(Kernels, CopySeveralAtOnce) {
  constexpr std::size_t room = 5000;
  constexpr std::size_t most = 300;  // more than one launch
  const Memory from(runtime(), Allocation::device, most * room);
  const Memory to(runtime(), Allocation::device, most * room);
  std::vector<std::byte> host(most * room);
  for (std::size_t i = 0; i < host.size(); ++i) host[i] = static_cast<std::byte>(splitmix(i));
  std::vector<std::byte> expected(host.size(), std::byte{0x5a});
  const Stream stream(runtime());
  must(runtime().copy(stream, from.bytes(), host.data(), host.size()));
  must(runtime().copy(stream, to.bytes(), expected.data(), expected.size()));
  std::vector<DeviceCopy> copies;
  for (std::size_t i = 0; i < most; ++i) {
    const std::size_t read = i * room + i % 37;
    const std::size_t written = i * room + i % 21;
    const std::size_t bytes = i * 16 % 4900 + i % 5;
    copies.push_back({to.bytes() + written, from.bytes() + read, bytes});
    std::copy_n(host.data() + read, bytes, expected.data() + written);
  }
  must(runtime().copy_all(stream, copies, nullptr));
  std::vector<std::byte> got(host.size());
  must(runtime().copy(stream, got.data(), to.bytes(), got.size()));
  must(runtime().synchronize(stream));
  EXPECT_TRUE(got == expected);
}

TEST(Kernels, DoNothingOnceTheyAreStopped) {
  const Stream stream(runtime());
  const Memory memory(runtime(), Allocation::device, 64);
  const Memory pinned(runtime(), Allocation::pinned, 64);
  std::uint32_t* const words = pinned.as<std::uint32_t>();
  const void* const source = memory.bytes();
  void* const destination = memory.bytes() + 32;
  const DeviceCopy copy{memory.bytes() + 16, memory.bytes(), 4};
  for (const std::uint32_t stop : {1u, 0u}) {
    words[0] = stop;
    words[1] = 7;
    must(runtime().copy(stream, memory.bytes(), words, 64));
    must(runtime().copy(stream, memory.bytes(), words + 1, 4));
    must(runtime().reduce(stream, {.dtype = DType::u32,
                                   .op = Op::sum,
                                   .sources = std::span(&source, 1),
                                   .destinations = std::span(&destination, 1),
                                   .count = 1,
                                   .divisor = 1,
                                   .most_blocks = 0,
                                   .stop = words}));
    must(runtime().copy_all(stream, std::span(&copy, 1), words));
    std::array<std::uint32_t, 16> got = {};
    must(runtime().copy(stream, got.data(), memory.bytes(), sizeof(got)));
    must(runtime().synchronize(stream));
    EXPECT_EQ(got[4] == 7, stop == 0);
    EXPECT_EQ(got[8] == 7, stop == 0);
  }
}

TEST(Kernels, RefuseWhatTheyCannotDo) {
  const Stream stream(runtime());
  const Memory memory(runtime(), Allocation::device, 64);
  std::vector<const void*> sources(DeviceReduction::most_sources + 1, memory.bytes());
  void* const destination = memory.bytes();
  const std::span<void* const> destinations(&destination, 1);
  EXPECT_EQ(outcome(runtime().reduce(
                stream, {.sources = sources, .destinations = destinations, .count = 1})),
            failed_with(ErrorCode::invalid_argument));
  EXPECT_EQ(outcome(runtime().reduce(stream, {.destinations = destinations, .count = 1})),
            failed_with(ErrorCode::invalid_argument));
  sources.pop_back();
  EXPECT_EQ(outcome(runtime().reduce(stream, {.sources = sources, .count = 1})),
            failed_with(ErrorCode::invalid_argument));
  EXPECT_EQ(outcome(runtime().reduce(stream, {.dtype = DType::f32,
                                              .op = Op::bxor,
                                              .sources = sources,
                                              .destinations = destinations,
                                              .count = 1})),
            failed_with(ErrorCode::unsupported));
  must(runtime().synchronize(stream));
}

}  // namespace

std::vector<Role*> roles() {
  return {};
}

}  // namespace rondo::test
