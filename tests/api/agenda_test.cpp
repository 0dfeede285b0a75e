// What is measured of links of all speeds, and that it stays within the budget: the clock is that
// of a made-up link.

#include "api/agenda.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "api/measure_links.hpp"

namespace rondo {
namespace {

constexpr double budget_s = 0.160;
constexpr double class_s = 0.200;  // what a class may take at most

const std::vector<SampleSize> small = {{8, 2}, {1024, 2}, {2048, 1}, {4096, 2}, {8192, 1}};
const std::vector<SampleSize> usual = {
    {8, 16}, {32 << 10, 4}, {64 << 10, 2}, {1 << 20, 2}, {1 << 20, 1}};

struct MadeUpLink {
  double latency_s;
  double bytes_per_s;
};

struct Outcome {
  double seconds = 0;
  std::vector<std::size_t> measured;
  std::vector<std::size_t> samples;  // of these
};

Outcome carry_out(const MadeUpLink& link) {
  Agenda agenda(small, usual, budget_s);
  std::vector<SampleSize> all = small;
  all.insert(all.end(), usual.begin(), usual.end());
  Outcome outcome;
  while (const auto index = agenda.next(outcome.seconds)) {
    const double call_s =
        link.latency_s + static_cast<double>(all.at(*index).bytes) / link.bytes_per_s;
    outcome.seconds += 2 * link.latency_s + call_s * all[*index].calls;
    agenda.note(*index, call_s);
  }
  outcome.measured = agenda.measured();
  for (const std::size_t index : outcome.measured) {
    outcome.samples.push_back(agenda.times(index).size());
  }
  return outcome;
}

constexpr double mbit = 1e6 / 8;

TEST(Agenda, AllIsMeasuredOftenWhereLinksAreFast) {
  for (const MadeUpLink link :
       {MadeUpLink{0.2e-6, 40e9}, {5e-6, 5e9}, {20e-6, 1.2e9}, {50e-6, 1000 * mbit}}) {
    const Outcome outcome = carry_out(link);
    EXPECT_EQ(outcome.measured, (std::vector<std::size_t>{5, 6, 7, 8, 9}));
    for (const std::size_t samples : outcome.samples) EXPECT_GE(samples, 2u);
    EXPECT_LE(outcome.seconds, budget_s);
  }
}

TEST(Agenda, WhatTakesTooLongIsLeftOut) {
  const Outcome outcome = carry_out({100e-6, 100 * mbit});
  EXPECT_EQ(outcome.measured, (std::vector<std::size_t>{5, 6, 7}));
  EXPECT_LE(outcome.seconds, budget_s);
}

TEST(Agenda, SlowLinksAreMeasuredWithFewBytes) {
  for (const double rate : {0.3, 1.0, 2.0, 5.0, 10.0, 20.0, 40.0}) {
    for (const double latency_s : {50e-6, 1e-3, 5e-3}) {
      const Outcome outcome = carry_out({latency_s, rate * mbit});
      ASSERT_GE(outcome.measured.size(), Agenda::fewest) << rate << " Mbit/s";
      EXPECT_EQ(outcome.measured.front(), 0u);
      EXPECT_LE(outcome.seconds, class_s) << rate << " Mbit/s, " << latency_s << " s";
      for (const std::size_t samples : outcome.samples) EXPECT_GE(samples, 1u);
    }
  }
}

// As a token bucket does.
TEST(Agenda, ALinkThatPassesAFewBytesAtOnceIsFoundSlow) {
  for (const double rate : {1.0, 10.0, 20.0}) {
    Agenda agenda(small, usual, budget_s);
    double used_s = 0;
    while (const auto index = agenda.next(used_s)) {
      const SampleSize size = *index < small.size() ? small[*index] : usual[*index - small.size()];
      const double slow_bytes = size.bytes <= 1024 ? 0 : static_cast<double>(size.bytes);
      const double call_s = 100e-6 + slow_bytes / (rate * mbit);
      used_s += 200e-6 + call_s * size.calls;
      agenda.note(*index, call_s);
    }
    EXPECT_EQ(agenda.measured().front(), 0u);
    EXPECT_GE(agenda.measured().size(), Agenda::fewest);
    // One call of 32 KiB there and back, twice, before that is known.
    EXPECT_LE(used_s, class_s + 4 * (32 << 10) / (rate * mbit));
  }
}

TEST(Agenda, FewCallsAreMeasuredHoweverLongTheyTake) {
  const Outcome outcome = carry_out({0.1, 1000});
  EXPECT_EQ(outcome.measured, (std::vector<std::size_t>{0, 1, 2}));
  EXPECT_EQ(outcome.samples, (std::vector<std::size_t>{1, 1, 1}));
}

TEST(Agenda, AFirstCallThatTakesLongCountsForNothing) {
  Agenda agenda(small, usual, budget_s);
  double used_s = 0;
  bool is_first = true;
  while (const auto index = agenda.next(used_s)) {
    const double call_s = is_first ? 1e-3 : 10e-6;
    is_first = false;
    used_s += call_s;
    agenda.note(*index, call_s);
  }
  ASSERT_EQ(agenda.measured().size(), usual.size());
  for (const std::size_t index : agenda.measured()) {
    for (const double call_s : agenda.times(index)) EXPECT_EQ(call_s, 10e-6);
  }
}

}  // namespace
}  // namespace rondo
