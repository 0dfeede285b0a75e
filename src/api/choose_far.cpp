#include "api/choose_far.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <iostream>
#include <numeric>
#include <string>
#include <vector>

#include "api/exchange.hpp"
#include "api/value_or_throw.hpp"
#include "base/text.hpp"
#include "execute/engine.hpp"
#include "plan/cache.hpp"
#include "transport/route/make.hpp"

namespace rondo {

namespace {

constexpr std::chrono::seconds patience(10);
constexpr std::uint64_t context_over_tcp = 3;
constexpr std::uint64_t context_over_fabric = 4;

struct Sample {
  std::size_t bytes;
  int calls;
};
// What counts is the time of an exchange of few, of some and of many bytes.
constexpr std::array samples = {Sample{8, 60}, Sample{64 << 10, 20}, Sample{2 << 20, 5}};
constexpr int warm_ups = 3;

using Times = std::array<double, samples.size()>;  // seconds

// Medians.
Times measure(std::unique_ptr<Transport> between, bool may_spin) {
  using Clock = std::chrono::steady_clock;
  PlanCache plans(between->rank());
  Engine engine(std::move(between), may_spin);
  Exchange exchange(engine, plans, patience);
  Times medians = {};
  for (std::size_t i = 0; i < samples.size(); ++i) {
    std::vector<std::byte> mine(samples[i].bytes);
    std::vector<std::byte> all(2 * mine.size());
    std::vector<double> times;
    for (int call = 0; call < warm_ups + samples[i].calls; ++call) {
      const auto start = Clock::now();
      value_or_throw(exchange.allgather(mine, all));
      if (call >= warm_ups) {
        times.push_back(std::chrono::duration<double>(Clock::now() - start).count());
      }
    }
    std::sort(times.begin(), times.end());
    medians[i] = times[times.size() / 2];
  }
  return medians;
}

template <class Value>
std::vector<Value> tell_all(const OutOfBand& outside, const Value& mine) {
  std::vector<Value> all(static_cast<std::size_t>(outside.size));
  outside.allgather(std::as_bytes(std::span(&mine, 1)), std::as_writable_bytes(std::span(all)));
  return all;
}

enum class Answer : std::uint8_t { no, yes, failed };

// A network that fails here is not used.
Answer compare(const Transport& world, std::pair<int, int> pair, bool may_spin) {
  const auto between = [&](std::uint64_t context, bool with_fabric) {
    return measure(
        value_or_throw(process::remake(world, {pair.first, pair.second}, context, with_fabric)),
        may_spin);
  };
  try {
    const Times over_tcp = between(context_over_tcp, false);
    const Times over_fabric = between(context_over_fabric, true);
    return is_faster(over_fabric, over_tcp) ? Answer::yes : Answer::no;
  } catch (const Error&) {
    return Answer::failed;
  }
}

}  // namespace

bool is_faster(std::span<const double> times, std::span<const double> others) {
  double sum = 0;
  for (std::size_t i = 0; i < times.size(); ++i) sum += std::log(times[i] / others[i]);
  return sum < 0;
}

std::optional<std::pair<int, int>> far_pair(std::span<const process::Member> members) {
  const auto is_elsewhere = [&](const process::Member& member) {
    return member.locality == 0 || member.locality != members.front().locality;
  };
  const auto other = std::find_if(members.begin() + 1, members.end(), is_elsewhere);
  if (other == members.end()) return std::nullopt;
  return std::pair(0, static_cast<int>(other - members.begin()));
}

std::unique_ptr<Transport> choose_far(const Transport& world, const OutOfBand& outside,
                                      std::pair<int, int> pair, bool may_spin) {
  const Result<> permitted = outside.fabric->permits_every_thread();
  const auto permissions = tell_all(outside, permitted ? Answer::yes : Answer::no);
  if (std::find(permissions.begin(), permissions.end(), Answer::no) != permissions.end()) {
    const std::string network(outside.fabric->name());
    const std::string reason =
        permitted ? concat("another rank may not use ", network, " from all of its threads")
                  : permitted.error().text();
    if (outside.rank == 0) {
      std::clog << concat("rondo: ranks of different hosts use TCP: ", reason, "\n");
    }
    return nullptr;
  }
  const bool measures = outside.rank == pair.first || outside.rank == pair.second;
  const auto answers = tell_all(outside, measures ? compare(world, pair, may_spin) : Answer::no);
  if (answers[static_cast<std::size_t>(pair.first)] != Answer::yes ||
      answers[static_cast<std::size_t>(pair.second)] == Answer::failed) {
    return nullptr;
  }
  std::vector<int> everybody(static_cast<std::size_t>(outside.size));
  std::iota(everybody.begin(), everybody.end(), 0);
  return value_or_throw(process::remake(world, everybody, remade_world_context, true));
}

}  // namespace rondo
