#include "bind/drop_in/settings.hpp"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "bootstrap/environment.hpp"

namespace rondo::bind {
namespace {

Settings settings_with(const std::map<std::string, std::string>& variables) {
  return read_settings([&](const char* name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    if (found == variables.end()) return std::nullopt;
    return found->second;
  });
}

TEST(Settings, WithoutVariables) {
  const Settings settings = settings_with({});
  EXPECT_EQ(settings.mode, Mode::measured);
  EXPECT_GT(settings.calls_before, 0u);
  EXPECT_FALSE(settings.counts());
  EXPECT_EQ(settings.complaint, "");
}

TEST(Settings, Modes) {
  for (const Mode mode : {Mode::off, Mode::measured, Mode::always}) {
    EXPECT_EQ(settings_with({{"RONDO_MPI", std::string(name(mode))}}).mode, mode);
  }
  EXPECT_EQ(settings_with({{"RONDO_MPI", "always"}}).calls_before, 0u);
  EXPECT_EQ(settings_with({{"RONDO_MPI", "always"}, {"RONDO_MPI_AFTER", "3"}}).calls_before, 3u);
}

TEST(Settings, NobodyWaitsWhoSaysWhen) {
  EXPECT_GT(settings_with({}).most_forming, 0);
  EXPECT_EQ(settings_with({{"RONDO_MPI", "always"}}).most_forming, 0);
  EXPECT_EQ(settings_with({{"RONDO_MPI_AFTER", "64"}}).most_forming, 0);
}

TEST(Settings, Statistics) {
  EXPECT_EQ(settings_with({{"RONDO_STATS", "a.json"}}).stats_file, "a.json");
  EXPECT_TRUE(settings_with({{"RONDO_STATS", "a.json"}}).counts());
  EXPECT_TRUE(settings_with({{"RONDO_STATS_TABLE", "1"}}).counts());
  EXPECT_FALSE(settings_with({{"RONDO_STATS_TABLE", "0"}}).counts());
}

TEST(Settings, WhatMakesNoSenseSwitchesOff) {
  const Settings mode = settings_with({{"RONDO_MPI", "on"}});
  EXPECT_EQ(mode.mode, Mode::off);
  EXPECT_EQ(mode.complaint, "RONDO_MPI=on: expected always, measured or off");
  for (const char* number : {"-1", "many", "3x", " 3"}) {
    const Settings after = settings_with({{"RONDO_MPI_AFTER", number}});
    EXPECT_EQ(after.mode, Mode::off) << number;
    EXPECT_NE(after.complaint.find(number), std::string::npos);
  }
  EXPECT_EQ(settings_with({{"RONDO_STATS_TABLE", "yes"}}).mode, Mode::off);
}

TEST(Settings, EveryVariableIsListed) {
  std::vector<std::string> asked;
  (void)read_settings([&](const char* name) -> std::optional<std::string> {
    asked.emplace_back(name);
    return std::nullopt;
  });
  EXPECT_GE(asked.size(), 4u);
  for (const std::string& name : asked) {
    bool is_listed = false;
    for (const Variable& variable : environment_variables()) is_listed |= variable.name == name;
    EXPECT_TRUE(is_listed) << name;
  }
}

}  // namespace
}  // namespace rondo::bind
