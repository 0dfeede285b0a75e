#include "bench/data.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "execute/reduction.hpp"

namespace rondo::bench {
namespace {

using Bytes = std::vector<std::byte>;

constexpr std::size_t count = 200;

std::vector<Bytes> inputs_of(const Pattern& pattern) {
  std::vector<Bytes> inputs;
  for (int rank = 0; rank < pattern.ranks; ++rank) {
    inputs.emplace_back(count * size_of(pattern.dtype));
    fill_input(pattern, rank, 0, inputs.back().data(), count);
  }
  return inputs;
}

/// One rank after the other into the same buffer, rounding each partial result, as a ring does.
Bytes reduce_in_order(const Pattern& pattern, bool backwards) {
  std::vector<Bytes> inputs = inputs_of(pattern);
  if (backwards) inputs = std::vector<Bytes>(inputs.rbegin(), inputs.rend());
  Bytes total = inputs.front();
  for (std::size_t i = 1; i < inputs.size(); ++i) {
    const bool last = i + 1 == inputs.size();
    const std::vector<const void*> sources = {total.data(), inputs[i].data()};
    reduce(pattern.dtype, pattern.op, total.data(), sources, count,
           last && pattern.op == Op::avg ? pattern.ranks : 1);
  }
  return total;
}

TEST(ExactData, EveryOrderOfSummationGivesTheExpectedBits) {
  for (int dtype = 0; dtype < dtype_count; ++dtype) {
    for (int op = 0; op < op_count; ++op) {
      for (const int ranks : {2, 3, 8, 65, 300}) {
        const Pattern pattern = {
            static_cast<DType>(dtype), static_cast<Op>(op), true, false, ranks, 11};
        if (!is_defined(pattern.op, pattern.dtype)) continue;
        for (const bool backwards : {false, true}) {
          const Bytes total = reduce_in_order(pattern, backwards);
          EXPECT_EQ(compare_with_reduction(pattern, 0, total.data(), count).wrong, 0u)
              << name(pattern.dtype) << " " << name(pattern.op) << " ranks " << ranks;
        }
      }
    }
  }
}

TEST(ExactData, DependsOnSeedRankAndIndex) {
  for (int dtype = 0; dtype < dtype_count; ++dtype) {
    const Pattern pattern = {static_cast<DType>(dtype), Op::sum, true, false, 4, 3};
    Bytes input(count * size_of(pattern.dtype));
    fill_input(pattern, 2, 0, input.data(), count);
    EXPECT_EQ(compare_with_input(pattern, 2, 0, input.data(), count).wrong, 0u);
    Pattern other = pattern;
    other.seed = 4;
    EXPECT_GT(compare_with_input(other, 2, 0, input.data(), count).wrong, count / 2);
    EXPECT_GT(compare_with_input(pattern, 1, 0, input.data(), count).wrong, count / 2);
    EXPECT_GT(compare_with_input(pattern, 2, 1, input.data(), count).wrong, count / 2);
  }
}

TEST(ExactData, CountsWrongElements) {
  const Pattern pattern = {DType::f32, Op::sum, true, false, 4, 3};
  Bytes total = reduce_in_order(pattern, false);
  for (const std::size_t element : {0, 57, 199}) total[element * 4 + 1] ^= std::byte{4};
  EXPECT_EQ(compare_with_reduction(pattern, 0, total.data(), count).wrong, 3u);
}

// The contribution of any rank, replaced by that of another, changes something of these few.
TEST(ExactData, EachRankCanBeMissed) {
  for (int i = 0; i < dtype_count * op_count; ++i) {
    const Pattern pattern = {
        static_cast<DType>(i % dtype_count), static_cast<Op>(i / dtype_count), true, false, 5, 11};
    if (!is_defined(pattern.op, pattern.dtype)) continue;
    const std::vector<Bytes> inputs = inputs_of(pattern);
    for (std::size_t missing = 0; missing < inputs.size(); ++missing) {
      std::vector<const void*> sources;
      for (const Bytes& input : inputs) sources.push_back(input.data());
      sources[missing] = sources[(missing + 1) % sources.size()];
      Bytes total(inputs[0].size());
      reduce(pattern.dtype, pattern.op, total.data(), sources, count,
             pattern.op == Op::avg ? pattern.ranks : 1);
      EXPECT_GT(compare_with_reduction(pattern, 0, total.data(), count).wrong, count / 50)
          << name(pattern.dtype) << " " << name(pattern.op) << " without rank " << missing;
    }
  }
}

TEST(MovedData, IsComparedBitByBit) {
  const Pattern pattern = {DType::f32, Op::sum, false, false, 2, 5};
  std::vector<float> data(1, std::numeric_limits<float>::quiet_NaN());
  EXPECT_EQ(compare_with_input(pattern, 0, 0, data.data(), 1).wrong, 1u);
  fill_input(pattern, 0, 0, data.data(), 1);
  EXPECT_EQ(compare_with_input(pattern, 0, 0, data.data(), 1).wrong, 0u);
}

TEST(RandomData, RoundedSumsAreWithinTheTolerance) {
  for (const DType dtype :
       {DType::f16, DType::bf16, DType::f32, DType::f64, DType::f8e4m3, DType::f8e5m2}) {
    for (int op = 0; op < op_count; ++op) {
      for (const int ranks : {1, 2, 5, 64}) {
        const Pattern pattern = {dtype, static_cast<Op>(op), true, true, ranks, 17};
        if (!is_defined(pattern.op, pattern.dtype)) continue;
        const Bytes total = reduce_in_order(pattern, true);
        const Findings found = compare_with_reduction(pattern, 0, total.data(), count);
        EXPECT_EQ(found.wrong, 0u) << name(dtype) << " " << name(pattern.op) << " " << ranks;
      }
    }
  }
}

TEST(RandomData, AddingTheContributionsIsNotExact) {
  const Pattern pattern = {DType::f32, Op::sum, true, true, 5, 17};
  const Bytes total = reduce_in_order(pattern, false);
  EXPECT_GT(compare_with_reduction(pattern, 0, total.data(), count).max_ulp, 0.1);
}

TEST(RandomData, ValuesFurtherOffThanRoundingAndNaNAreWrong) {
  const Pattern pattern = {DType::f64, Op::sum, true, true, 2, 17};
  Bytes total = reduce_in_order(pattern, false);
  auto* values = reinterpret_cast<double*>(total.data());
  values[3] += 1e-12;
  values[4] = std::numeric_limits<double>::quiet_NaN();
  const Findings found = compare_with_reduction(pattern, 0, values, count);
  EXPECT_EQ(found.wrong, 2u);
  EXPECT_TRUE(std::isinf(found.max_ulp));
}

TEST(Fingerprint, ChangesWithEachByteAndWithTheLength) {
  Bytes data(21);
  const std::uint64_t before = fingerprint(data.data(), data.size());
  EXPECT_NE(fingerprint(data.data(), 20), before);
  for (std::byte& byte : data) {
    byte = std::byte{1};
    EXPECT_NE(fingerprint(data.data(), data.size()), before);
    byte = std::byte{0};
  }
}

}  // namespace
}  // namespace rondo::bench
