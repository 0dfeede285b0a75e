#include "bench/sizes.hpp"

#include <gtest/gtest.h>

#include "bench/measure.hpp"

namespace rondo::bench {
namespace {

TEST(ParseSize, UnderstandsBinarySuffixes) {
  EXPECT_EQ(parse_size("0"), 0u);
  EXPECT_EQ(parse_size("64"), 64u);
  EXPECT_EQ(parse_size("4K"), 4096u);
  EXPECT_EQ(parse_size("4k"), 4096u);
  EXPECT_EQ(parse_size("1.5M"), 1572864u);
  EXPECT_EQ(parse_size("2G"), std::size_t{2} << 30);
}

TEST(ParseSize, RefusesWhatIsNoSize) {
  for (const char* text : {"", "K", "-1", "4KB", "4 K", "0.3", "1e6", "nan", "9999999G", "0x10"}) {
    EXPECT_EQ(parse_size(text), std::nullopt) << text;
  }
}

TEST(Sweep, MultipliesOrAddsUpToTheMaximum) {
  EXPECT_EQ(sweep(4, 64, 4, 0), (std::vector<std::size_t>{4, 16, 64}));
  EXPECT_EQ(sweep(4, 63, 4, 0), (std::vector<std::size_t>{4, 16}));
  EXPECT_EQ(sweep(0, 6, 4, 3), (std::vector<std::size_t>{0, 3, 6}));
  EXPECT_EQ(sweep(0, 0, 4, 0), (std::vector<std::size_t>{0}));
}

TEST(CountFor, RoundsBlocksDownToSixteenBytes) {
  EXPECT_EQ(count_for(Collective::allreduce, DType::f32, 4, 1030), 257u);
  EXPECT_EQ(count_for(Collective::allgather, DType::f32, 4, 1030), 64u);
  EXPECT_EQ(count_for(Collective::reduce_scatter, DType::f32, 3, 1024), 84u);
  EXPECT_EQ(count_for(Collective::allgather, DType::f32, 4, 60), 0u);
  EXPECT_EQ(count_for(Collective::barrier, DType::f32, 4, 1024), 0u);
}

TEST(Case, KnowsTheElementsOfBothSides) {
  Case c;
  c.ranks = 4;
  c.count = 10;
  EXPECT_EQ(c.send_elements(), 10u);
  EXPECT_EQ(c.receive_elements(), 10u);
  c.collective = Collective::allgather;
  EXPECT_EQ(c.send_elements(), 10u);
  EXPECT_EQ(c.receive_elements(), 40u);
  EXPECT_EQ(c.bytes(), 160u);
  c.collective = Collective::reduce_scatter;
  EXPECT_EQ(c.send_elements(), 40u);
  EXPECT_EQ(c.receive_elements(), 10u);
  EXPECT_EQ(c.bytes(), 160u);
}

TEST(BusFactor, IsTheTrafficThatEachLinkMustCarry) {
  EXPECT_DOUBLE_EQ(bus_factor(Collective::allreduce, 4), 1.5);
  EXPECT_DOUBLE_EQ(bus_factor(Collective::allgather, 4), 0.75);
  EXPECT_DOUBLE_EQ(bus_factor(Collective::reduce_scatter, 4), 0.75);
  EXPECT_DOUBLE_EQ(bus_factor(Collective::broadcast, 4), 1);
  EXPECT_DOUBLE_EQ(bus_factor(Collective::reduce, 4), 1);
  EXPECT_DOUBLE_EQ(bus_factor(Collective::allreduce, 1), 0);
  EXPECT_DOUBLE_EQ(bus_factor(std::nullopt, 4), 1);
}

TEST(Quantile, TakesTheNearestRank) {
  const std::vector<double> sorted = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
  EXPECT_EQ(quantile(sorted, 0.5), 5);
  EXPECT_EQ(quantile(sorted, 0.99), 10);
  EXPECT_EQ(quantile(sorted, 0), 1);
  EXPECT_EQ(quantile({3}, 0.99), 3);
  EXPECT_EQ(quantile({}, 0.5), 0);
}

}  // namespace
}  // namespace rondo::bench
