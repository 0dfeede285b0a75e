#include "bind/drop_in/trial.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "bind/drop_in/kinds.hpp"

namespace rondo::bind {
namespace {

// Calls either way until the trial is over; `time` gives nanoseconds by way and round.
template <class Time>
Trial carried_out(Time time) {
  Trial trial;
  for (int call = 0; !trial.is_over(); ++call) trial.add(time(trial.next(), call / 2));
  return trial;
}

TEST(Trial, GoesBothWaysInTurn) {
  Trial trial;
  std::vector<int> calls(2, 0);
  Way before = Way::below;
  while (!trial.is_over()) {
    EXPECT_NE(trial.next(), before);
    before = trial.next();
    ++calls[static_cast<std::size_t>(before)];
    trial.add(1);
  }
  EXPECT_EQ(calls, std::vector<int>(2, Trial::warm_ups + Trial::measured));
}

TEST(Trial, DoesNotCountTheFirstCalls) {
  const Trial trial = carried_out([](Way way, int round) {
    if (round < Trial::warm_ups) return 1e9;
    return way == Way::rondo ? 10.0 : 20.0;
  });
  EXPECT_EQ(trial.times().rondo, 10);
  EXPECT_EQ(trial.times().below, 20);
}

TEST(Trial, IsNotMisledByLateRanksNorByOneLuckyCall) {
  const Trial trial = carried_out([](Way, int round) {
    if (round == 3) return 1.0;
    return round % 2 == 0 ? 100.0 : 1e6;
  });
  EXPECT_EQ(trial.times().rondo, 100);
}

TEST(Trial, WhatTakesTheRanksLessTimeTogetherIsFaster) {
  const std::vector<Times> mixed = {{10, 20}, {25, 20}};
  EXPECT_EQ(faster(mixed), Way::rondo);
  const std::vector<Times> slower = {{10, 20}, {35, 20}};
  EXPECT_EQ(faster(slower), Way::below);
  const std::vector<Times> alike = {{20, 20}};
  EXPECT_EQ(faster(alike), Way::below);
  const std::vector<Times> nearly_alike = {{19, 20}, {18.5, 20}};
  EXPECT_EQ(faster(nearly_alike), Way::below);
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
