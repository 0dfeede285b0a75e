#include "bind/drop_in/trial.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "bind/drop_in/kinds.hpp"

namespace rondo::bind {
namespace {

// Calls either way until the trial is over; `time` gives nanoseconds by way, row and call of a row.
template <class Time>
Trial carried_out(Time time) {
  Trial trial;
  for (int call = 0; !trial.is_over(); ++call) {
    trial.add(time(trial.next(), call / (2 * Trial::row), call % Trial::row));
  }
  return trial;
}

TEST(Trial, GoesBothWaysInRows) {
  Trial trial;
  std::vector<Way> ways;
  while (!trial.is_over()) {
    ways.push_back(trial.next());
    trial.add(1);
  }
  ASSERT_EQ(ways.size(), std::size_t{Trial::calls});
  EXPECT_EQ(std::count(ways.begin(), ways.end(), Way::rondo), Trial::calls / 2);
  EXPECT_EQ(ways.front(), Way::rondo);
  for (std::size_t call = 1; call < ways.size(); ++call) {
    EXPECT_EQ(ways[call] == ways[call - 1], call % Trial::row != 0) << call;
  }
}

TEST(Trial, TheFirstRowOpensLinks) {
  Trial trial;
  for (int call = 0; !trial.is_over(); ++call) {
    EXPECT_EQ(trial.is_first_row(), call < Trial::row) << call;
    trial.add(1);
  }
}

TEST(Trial, DoesNotCountTheFirstRows) {
  const Trial trial = carried_out([](Way way, int row, int) {
    if (row == 0) return 1e9;
    return way == Way::rondo ? 10.0 : 20.0;
  });
  EXPECT_EQ(trial.times().rondo, 10);
  EXPECT_EQ(trial.times().below, 20);
}

TEST(Trial, DoesNotCountCallsThatFindTheCachesOfTheOtherWay) {
  const Trial trial = carried_out([](Way way, int, int of_row) {
    const double cold = way == Way::rondo ? 15 : 50;
    return of_row == 0 ? cold : 20.0;
  });
  EXPECT_EQ(trial.times().rondo, 20);
  EXPECT_EQ(trial.times().below, 20);
}

TEST(Trial, IsNotMisledByLateRanksNorByLuckyCalls) {
  const Trial trial = carried_out([](Way, int row, int of_row) {
    if (row == 3) return of_row == 1 ? 1.0 : 1e6;
    return row == 2 && of_row == 2 ? 1e6 : 100.0;
  });
  EXPECT_EQ(trial.times().rondo, 100);
}

TEST(Trial, WhatTakesTheRanksLessTimeTogetherIsFaster) {
  const std::vector<Times> mixed = {{10, 20}, {25, 20}};
  EXPECT_EQ(faster(mixed, Doubt::first), Way::rondo);
  const std::vector<Times> slower = {{10, 20}, {35, 20}};
  EXPECT_EQ(faster(slower, Doubt::first), Way::below);
  const std::vector<Times> alike = {{20, 20}};
  EXPECT_EQ(faster(alike, Doubt::first), Way::below);
  EXPECT_EQ(faster(alike, Doubt::again), Way::below);
}

TEST(Trial, WhatWasFasterBeforeNeedsToSaveLess) {
  const std::vector<Times> nearly_alike = {{19, 20}, {18.5, 20}};
  EXPECT_EQ(faster(nearly_alike, Doubt::first), Way::below);
  EXPECT_EQ(faster(nearly_alike, Doubt::again), Way::rondo);
}

TEST(Slot, TellsApartWhatIsMeasuredApart) {
  const std::size_t here = Slot(Kind::bcast, TypeClass::data, 1000).index();
  EXPECT_EQ(Slot(Kind::bcast, TypeClass::data, 512).index(), here);
  EXPECT_EQ(Slot(Kind::bcast, TypeClass::data, 1023).index(), here);
  EXPECT_NE(Slot(Kind::bcast, TypeClass::data, 1024).index(), here);
  EXPECT_NE(Slot(Kind::bcast, TypeClass::f32, 1000).index(), here);
  EXPECT_NE(Slot(Kind::reduce, TypeClass::data, 1000).index(), here);
  EXPECT_LT(Slot(Kind::exscan, TypeClass::f64, ~std::size_t{0}).index(), Slot::count);
}

TEST(Slot, ClassesOfTypes) {
  EXPECT_EQ(class_of(DType::u8), TypeClass::bits8);
  EXPECT_EQ(class_of(DType::i16), TypeClass::bits16);
  EXPECT_EQ(class_of(DType::u32), TypeClass::bits32);
  EXPECT_EQ(class_of(DType::i64), TypeClass::bits64);
  EXPECT_EQ(class_of(DType::bf16), TypeClass::short_float);
  EXPECT_EQ(class_of(DType::f32), TypeClass::f32);
  EXPECT_EQ(class_of(DType::f64), TypeClass::f64);
}

}  // namespace
}  // namespace rondo::bind
