// What is left to the MPI below, told at a glance.

#include "bind/drop_in/left.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>

#include "bind/drop_in/kinds.hpp"

namespace rondo::bind {
namespace {

// Handles of either family, of which nothing is asked but whether they are alike.
template <class Handle>
Handle handle(std::uintptr_t number) {
  Handle made = {};
  std::memcpy(&made, &number, std::min(sizeof made, sizeof number));
  return made;
}

const MPI_Datatype type = handle<MPI_Datatype>(0x4c00040a);
const MPI_Op op = handle<MPI_Op>(0x58000003);
constexpr std::uint64_t class_of_8_to_15 = 1u << 4;

TEST(Left, SizeClassesAreThoseOfSlots) {
  for (std::size_t bytes = 0; bytes < 3000; ++bytes) {
    EXPECT_EQ(rondo_size_class(bytes), Slot(Kind::bcast, TypeClass::data, bytes).index() -
                                           Slot(Kind::bcast, TypeClass::data, 0).index());
  }
}

TEST(Left, NothingAtFirst) {
  const rondo_left_table table{};
  EXPECT_FALSE(rondo_is_left(&table, rondo_kind_allreduce, type, op, 1));
  EXPECT_FALSE(rondo_is_left(&table, rondo_kind_allreduce, type, op, 0));
  EXPECT_FALSE(rondo_is_left(&table, rondo_kind_barrier, RONDO_NOTHING));
  EXPECT_FALSE(rondo_is_left(&table, rondo_kind_bcast, RONDO_DATA(MPI_Datatype{}, 5)));
}

TEST(Left, OneCollectiveTypeOperationAndClass) {
  rondo_left_table table{};
  rondo_leave(&table, rondo_kind_allreduce, type, op, 4, class_of_8_to_15);
  for (const std::size_t count : {2, 3}) {
    EXPECT_TRUE(rondo_is_left(&table, rondo_kind_allreduce, type, op, count));
  }
  for (const std::size_t count : {0, 1, 4, 1000}) {
    EXPECT_FALSE(rondo_is_left(&table, rondo_kind_allreduce, type, op, count));
  }
  EXPECT_FALSE(rondo_is_left(&table, rondo_kind_scan, type, op, 2));
  EXPECT_FALSE(rondo_is_left(&table, rondo_kind_allreduce, type, handle<MPI_Op>(0x58000004), 2));
  EXPECT_FALSE(
      rondo_is_left(&table, rondo_kind_allreduce, handle<MPI_Datatype>(0x4c00080b), op, 2));
}

TEST(Left, WhatComesLaterTakesThePlaceOfWhatWasThere) {
  rondo_left_table table{};
  constexpr std::uintptr_t many = 100;
  for (std::uintptr_t i = 1; i <= many; ++i) {
    rondo_leave(&table, rondo_kind_scan, handle<MPI_Datatype>(i), op, 8, class_of_8_to_15);
    EXPECT_TRUE(rondo_is_left(&table, rondo_kind_scan, handle<MPI_Datatype>(i), op, 1));
  }
  int kept = 0;
  for (std::uintptr_t i = 1; i <= many; ++i) {
    kept += rondo_is_left(&table, rondo_kind_scan, handle<MPI_Datatype>(i), op, 1) != 0 ? 1 : 0;
  }
  EXPECT_EQ(kept, int{rondo_left_ways});
}

TEST(Left, EveryClassIsEverySize) {
  rondo_left_table table{};
  rondo_leave(&table, rondo_kind_reduce, type, op, 1, ~std::uint64_t{0});
  for (const std::size_t count : {std::size_t{0}, std::size_t{1}, std::size_t{1} << 45,
                                  std::numeric_limits<std::size_t>::max()}) {
    EXPECT_TRUE(rondo_is_left(&table, rondo_kind_reduce, type, op, count));
  }
}

TEST(Left, WhatHasNoSize) {
  rondo_left_table table{};
  rondo_leave(&table, rondo_kind_barrier, MPI_Datatype{}, MPI_Op{}, 0, ~std::uint64_t{0});
  EXPECT_TRUE(rondo_is_left(&table, rondo_kind_barrier, RONDO_NOTHING));
  EXPECT_FALSE(rondo_is_left(&table, rondo_kind_gatherv, RONDO_NOTHING));
}

TEST(Left, CountsOfAllRanks) {
  rondo_left_table table{};
  table.ranks = 3;
  const int counts[] = {1, 0, 7};
  EXPECT_EQ(rondo_sum(&table, counts), 8u);
}

}  // namespace
}  // namespace rondo::bind
