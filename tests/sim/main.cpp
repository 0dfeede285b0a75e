// simulation [--seed=N] [--seeds=N]: simulates seeds 1 to 1000, or 1 to N, or only one and says
// what it stands for.

#include <charconv>
#include <cstdint>
#include <iostream>
#include <optional>
#include <string_view>

#include "sim/simulation.hpp"

namespace {

using rondo::sim::Scenario;

std::optional<std::uint64_t> option(std::string_view argument, std::string_view name) {
  if (!argument.starts_with(name)) return std::nullopt;
  argument.remove_prefix(name.size());
  std::uint64_t value = 0;
  const auto [end, error] =
      std::from_chars(argument.data(), argument.data() + argument.size(), value);
  if (error != std::errc() || end != argument.data() + argument.size()) return std::nullopt;
  return value;
}

bool passes(std::uint64_t seed, bool explains) {
  const Scenario scenario = rondo::sim::draw_scenario(seed);
  if (explains) std::cout << "seed " << seed << "\n" << describe(scenario);
  const std::optional<std::string> failure = rondo::sim::simulate(scenario);
  if (!failure) return true;
  std::cout << "seed " << seed << " fails: " << *failure;
  if (!explains) std::cout << describe(scenario);
  std::cout << "to repeat: build/tests/sim/simulation --seed=" << seed << "\n";
  return false;
}

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t first = 1;
  std::uint64_t last = 1000;
  bool explains = false;
  for (int i = 1; i < argc; ++i) {
    if (const auto seed = option(argv[i], "--seed=")) {
      first = last = *seed;
      explains = true;
    } else if (const auto seeds = option(argv[i], "--seeds=")) {
      last = *seeds;
    } else {
      std::cout << "usage: simulation [--seed=N] [--seeds=N]\n";
      return 2;
    }
  }
  std::uint64_t failed = 0;
  for (std::uint64_t seed = first; seed <= last; ++seed) {
    if (!passes(seed, explains)) ++failed;
    if (failed == 5) break;
  }
  if (failed == 0) std::cout << "passed: " << last - first + 1 << " seeds\n";
  return failed == 0 ? 0 : 1;
}
