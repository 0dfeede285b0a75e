#include "cli/binding.hpp"

#include <gtest/gtest.h>

#include <string>

namespace rondo::cli {
namespace {

std::string text_of(const std::vector<cpu_set_t>& shares) {
  std::string text;
  for (const cpu_set_t& share : shares) {
    if (!text.empty()) text += "|";
    bool first = true;
    for (int cpu = 0; cpu < 64; ++cpu) {
      if (!CPU_ISSET(cpu, &share)) continue;
      if (!first) text += " ";
      text += std::to_string(cpu);
      first = false;
    }
  }
  return text;
}

/// Two packages of two cores with two CPUs each, numbered as Linux does: siblings are far apart.
const std::vector<CpuPlace> machine = {{0, 0, 0}, {1, 0, 1}, {2, 1, 0}, {3, 1, 1},
                                       {4, 0, 0}, {5, 0, 1}, {6, 1, 0}, {7, 1, 1}};

TEST(DivideCpus, OneRankGetsAll) {
  EXPECT_EQ(text_of(divide_cpus(machine, 1)), "0 1 2 3 4 5 6 7");
}
TEST(DivideCpus, TwoRanksGetAPackageEach) {
  EXPECT_EQ(text_of(divide_cpus(machine, 2)), "0 1 4 5|2 3 6 7");
}
TEST(DivideCpus, FourRanksGetACoreEachWithBothItsCpus) {
  EXPECT_EQ(text_of(divide_cpus(machine, 4)), "0 4|1 5|2 6|3 7");
}
TEST(DivideCpus, UnevenRanksStillGetWholeCores) {
  EXPECT_EQ(text_of(divide_cpus(machine, 3)), "0 4|1 5|2 3 6 7");
}
TEST(DivideCpus, MoreRanksThanCoresShareCores) {
  EXPECT_EQ(text_of(divide_cpus(machine, 8)), "0|4|1|5|2|6|3|7");
}
TEST(DivideCpus, MoreRanksThanCpusAreNotBound) {
  EXPECT_TRUE(divide_cpus(machine, 9).empty());
}
TEST(DivideCpus, AnUnknownMachineIsNotBound) {
  EXPECT_TRUE(divide_cpus({}, 1).empty());
}

TEST(UsableCpus, AreThoseOfTheAffinityMask) {
  cpu_set_t mask;
  ASSERT_EQ(::sched_getaffinity(0, sizeof mask, &mask), 0);
  EXPECT_EQ(usable_cpus().size(), static_cast<std::size_t>(CPU_COUNT(&mask)));
  for (const CpuPlace& place : usable_cpus()) EXPECT_TRUE(CPU_ISSET(place.cpu, &mask));
}

}  // namespace
}  // namespace rondo::cli
