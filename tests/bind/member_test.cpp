// Members of one communicator, as threads that exchange bytes through a table.

#include "bind/drop_in/member.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "harness/folder.hpp"
#include "harness/out_of_band.hpp"
#include "rondo/communicator.hpp"

namespace rondo::bind {
namespace {

constexpr int failure_code = 77;

// One rank: counts what goes which way.
struct Rank {
  Rank(const Settings& settings, const Surroundings& around)
      : drop_in(settings, "test"), member(drop_in, around) {}

  // Adds up one int of each rank: below, by a table of the test's own.
  int sum(const std::function<int(int)>& sum_below, int value, bool is_bad = false) {
    int result = value;
    const int code = member.carry_out(
        {Kind::allreduce, TypeClass::bits32, sizeof(int), sizeof(int)},
        [&] {
          ++taken;
          in_take();
          member.run({.collective = Collective::allreduce,
                      .send = is_bad ? nullptr : &result,
                      .receive = is_bad ? nullptr : &result,
                      .count = 1,
                      .dtype = DType::i32});
        },
        [&] {
          ++passed;
          result = sum_below(value);
          return 0;
        },
        [&] { left = member.left_classes(Kind::allreduce, TypeClass::bits32); });
    return code == 0 ? result : -code;
  }

  DropIn drop_in;
  Member member;
  int taken = 0;
  int passed = 0;
  std::function<void()> in_take = [] {};
  std::uint64_t left = 0;  // what it was told last of sizes that go below for good
};

constexpr std::uint64_t class_of_int = std::uint64_t{1} << std::bit_width(sizeof(int));

class Ranks {
 public:
  explicit Ranks(int count) : table_(count), count_(count) {}

  // Runs `body(rank, sum_below)` in a thread for each rank, which are all gone afterwards.
  template <class Body>
  void run(const Settings& settings, Body body) {
    std::vector<std::thread> threads;
    for (int r = 0; r < count_; ++r) {
      threads.emplace_back([&, r] {
        Surroundings around;
        around.rank = r;
        around.size = count_;
        around.exchange = [this, r](const void* mine, void* all, std::size_t bytes) {
          gather(r, mine, all, bytes);
          return exchange_works;
        };
        around.fail = [] { return failure_code; };
        Rank rank(settings, around);
        body(rank, [&](int value) {
          std::vector<int> all(static_cast<std::size_t>(count_));
          gather(r, &value, all.data(), sizeof value);
          int sum = 0;
          for (const int each : all) sum += each;
          return sum;
        });
      });
    }
    for (std::thread& thread : threads) thread.join();
  }

  bool exchange_works = true;

 private:
  void gather(int rank, const void* mine, void* all, std::size_t bytes) {
    const auto ranks = static_cast<std::size_t>(count_);
    table_.of(rank).allgather({static_cast<const std::byte*>(mine), bytes},
                              {static_cast<std::byte*>(all), bytes * ranks});
  }

  rondo::testing::ThreadsAllgather table_;
  int count_;
};

Settings always(std::uint64_t calls_before) {
  Settings settings;
  settings.mode = Mode::always;
  settings.calls_before = calls_before;
  return settings;
}

TEST(Member, TakesCallsAfterTheFirst) {
  Ranks(3).run(always(4), [](Rank& rank, auto below) {
    for (int call = 0; call < 10; ++call) {
      EXPECT_EQ(rank.sum(below, rank.member.rank() + call), 3 + 3 * call);
    }
    EXPECT_EQ(rank.passed, 4);
    EXPECT_EQ(rank.taken, 6);
  });
}

TEST(Member, LargeCallsCountForMany) {
  Settings settings = always(1000);
  settings.bytes_before = 3 * sizeof(int);
  Ranks(2).run(settings, [](Rank& rank, auto below) {
    for (int call = 0; call < 5; ++call) EXPECT_EQ(rank.sum(below, 1), 2);
    EXPECT_EQ(rank.passed, 3);
    EXPECT_EQ(rank.taken, 2);
  });
}

constexpr double any_time = 1e12;  // of what has passed, for making communicators

TEST(Member, ProgramsThatHaveNotRunForLongStayBelow) {
  Settings settings = always(4);
  settings.most_forming = 1 / any_time;
  Ranks(2).run(settings, [](Rank& rank, auto below) {
    for (int call = 0; call < 20; ++call) EXPECT_EQ(rank.sum(below, 1), 2);
    EXPECT_EQ(rank.passed, 20);
  });
  settings.most_forming = any_time;
  Ranks(2).run(settings, [](Rank& rank, auto below) {
    for (int call = 0; call < 20; ++call) EXPECT_EQ(rank.sum(below, 1), 2);
    EXPECT_EQ(rank.passed, 4);
  });
}

TEST(Member, AllAskAgainWhereOneHasNotTheTime) {
  Settings settings = always(4);
  settings.most_forming = any_time;
  Ranks(3).run(settings, [](Rank& rank, auto below) {
    constexpr double all_of_it = 1e100;
    const bool is_late = rank.member.rank() == 1;
    if (is_late) rank.drop_in.note_forming(all_of_it);
    for (int call = 0; call < 10; ++call) EXPECT_EQ(rank.sum(below, 1), 3);
    EXPECT_EQ(rank.passed, 10);  // asked after 4 and after 8
    if (is_late) rank.drop_in.note_forming(-all_of_it);
    for (int call = 0; call < 10; ++call) EXPECT_EQ(rank.sum(below, 1), 3);
    EXPECT_EQ(rank.passed, 16);
    EXPECT_EQ(rank.taken, 4);
  });
}

TEST(Member, MeasuresBothWaysAndAllRanksKeepTheSame) {
  Settings settings;
  settings.calls_before = 0;
  constexpr int trial = Trial::calls;
  std::vector<int> taken(3);
  Ranks(3).run(settings, [&](Rank& rank, auto below) {
    for (int call = 0; call < trial; ++call) EXPECT_EQ(rank.sum(below, call), 3 * call);
    EXPECT_EQ(rank.taken, trial / 2);
    EXPECT_EQ(rank.passed, trial / 2);
    for (int call = 0; call < 10; ++call) EXPECT_EQ(rank.sum(below, call), 3 * call);
    EXPECT_EQ(rank.taken + rank.passed, trial + 10);
    EXPECT_TRUE(rank.taken == trial / 2 || rank.passed == trial / 2);
    EXPECT_EQ(rank.left, rank.taken == trial / 2 ? class_of_int : 0);
    taken[static_cast<std::size_t>(rank.member.rank())] = rank.taken;
  });
  EXPECT_EQ(taken, std::vector<int>(3, taken[0]));
}

// Calls of which one way takes much longer than the other one has taken of late.
class Race {
 public:
  Race(Rank& rank, std::function<int(int)> below) : rank_(rank), below_(std::move(below)) {
    rank_.in_take = [this] { burden(Way::rondo); };
  }

  void slow_down(Way way) { slow_ = way; }
  Way call() {
    const int passed = rank_.passed;
    const auto start = Clock::now();
    EXPECT_EQ(rank_.sum(
                  [this](int value) {
                    burden(Way::below);
                    return below_(value);
                  },
                  1),
              2);
    const Way way = rank_.passed > passed ? Way::below : Way::rondo;
    // The first ones make things.
    if (++calls_ > Trial::row && way != slow_) usual_ += (Clock::now() - start - usual_) / 4;
    return way;
  }
  // How many of so many go below.
  int passed_of(int calls) {
    int passed = 0;
    for (int i = 0; i < calls; ++i) passed += call() == Way::below ? 1 : 0;
    return passed;
  }

 private:
  using Clock = std::chrono::steady_clock;

  void burden(Way way) const {
    if (way == slow_) std::this_thread::sleep_for(4 * usual_ + std::chrono::milliseconds(1));
  }

  Rank& rank_;
  const std::function<int(int)> below_;
  Way slow_ = Way::below;
  int calls_ = 0;
  Clock::duration usual_{};
};

TEST(Member, LooksAgainWhetherRondoIsTheFasterOne) {
  Settings settings;
  settings.calls_before = 0;
  constexpr int patience = 256;
  for (const Way slow : {Way::below, Way::rondo}) {
    Ranks(2).run(settings, [&](Rank& rank, auto below) {
      Race race(rank, below);
      EXPECT_EQ(race.passed_of(Trial::calls), Trial::calls / 2);
      EXPECT_EQ(race.passed_of(patience), 0);
      race.slow_down(slow);
      EXPECT_EQ(race.passed_of(Trial::calls), Trial::calls / 2);
      EXPECT_EQ(race.passed_of(20), slow == Way::below ? 0 : 20);
      EXPECT_EQ(rank.left, slow == Way::below ? 0 : class_of_int);
    });
  }
}

TEST(Member, WhatRondoRefusesGoesBelow) {
  Ranks(2).run(always(0), [](Rank& rank, auto below) {
    EXPECT_EQ(rank.sum(below, 2, true), 4);
    EXPECT_EQ(rank.taken, 1);
    EXPECT_EQ(rank.left, 0u);
    EXPECT_EQ(rank.sum(below, 3), 6);  // of the same kind: not asked again
    EXPECT_EQ(rank.taken, 1);
    EXPECT_EQ(rank.left, class_of_int);
    EXPECT_EQ(rank.passed, 2);
  });
}

TEST(Member, WithoutACommunicatorEverythingGoesBelow) {
  Ranks ranks(2);
  ranks.exchange_works = false;
  ranks.run(always(0), [](Rank& rank, auto below) {
    for (int call = 0; call < 3; ++call) EXPECT_EQ(rank.sum(below, 1), 2);
    EXPECT_EQ(rank.taken, 0);
    EXPECT_EQ(rank.passed, 3);
    EXPECT_EQ(rank.left, Member::every_class);
  });
}

TEST(Member, NobodyIsToldWhatIsCounted) {
  Settings settings = always(0);
  settings.stats_file = "/dev/null";
  Ranks(2).run(settings, [](Rank& rank, auto below) {
    EXPECT_EQ(rank.sum(below, 2, true), 4);
    EXPECT_EQ(rank.sum(below, 3), 6);
    EXPECT_EQ(rank.passed, 2);
    EXPECT_EQ(rank.left, 0u);
  });
}

TEST(Member, AFailureInsideFailsTheCall) {
  Ranks(2).run(always(0), [](Rank& rank, auto below) {
    EXPECT_EQ(rank.sum(below, 1), 2);
    if (rank.member.rank() == 0) return;  // leaves while the other one waits
    EXPECT_EQ(rank.sum(below, 1), -failure_code);
    EXPECT_EQ(rank.passed, 0);
    EXPECT_EQ(rank.sum(below, 1), -failure_code);
  });
}

// What a world of two plans for a large sum under such costs.
std::string planned(bool is_fixed, const std::string& costs) {
  rondo::testing::ThreadsAllgather table(2);
  ::setenv("RONDO_COSTS", costs.c_str(), 1);
  std::string plan;
  const auto body = [&](int rank) {
    Worlds worlds(is_fixed);
    Surroundings around;
    around.rank = rank;
    around.size = 2;
    around.exchange = [&](const void* mine, void* all, std::size_t bytes) {
      table.of(rank).allgather({static_cast<const std::byte*>(mine), bytes},
                               {static_cast<std::byte*>(all), 2 * bytes});
      return true;
    };
    const Communicator made = worlds.make(around);
    if (rank == 0) plan = made.explain(Collective::allreduce, 1'000'000, DType::f32);
  };
  std::thread other(body, 1);
  body(0);
  other.join();
  ::unsetenv("RONDO_COSTS");
  return plan;
}

TEST(Worlds, FixedPlansDoNotFollowCosts) {
  const rondo::testing::Folder folder;
  const auto costs = [&](const std::string& name, const std::string& link) {
    std::string text = "rondo costs 1\nrank start 1us reduce 12GB/s copy 13GB/s\n";
    for (const char* path : {"core", "l2", "l3", "numa", "pkg", "sys", "host", "rack", "net"}) {
      text += std::string(path) + " " + link + "\n";
    }
    return folder.write(name, text);
  };
  const std::string near = costs("near", "latency 1us wire 30GB/s");
  const std::string far = costs("far", "latency 9ms wire 3GB/s");
  EXPECT_EQ(planned(true, near), planned(true, far));
  EXPECT_NE(planned(false, near), planned(false, far));
}

TEST(Worlds, CommunicatorsOfOneWorldAreApart) {
  rondo::testing::ThreadsAllgather table(2);
  const auto body = [&](int rank) {
    Worlds worlds(true);
    Surroundings around;
    around.rank = rank;
    around.size = 2;
    around.exchange = [&](const void* mine, void* all, std::size_t bytes) {
      table.of(rank).allgather({static_cast<const std::byte*>(mine), bytes},
                               {static_cast<std::byte*>(all), 2 * bytes});
      return true;
    };
    Communicator first = worlds.make(around);
    Communicator second = worlds.make(around);
    for (Communicator* each : {&second, &first}) {
      EXPECT_EQ(each->rank(), rank);
      EXPECT_EQ(each->allreduce_value(rank + 1), 3);
    }
    first = Communicator();
    EXPECT_EQ(second.allreduce_value(rank + 1), 3);
  };
  std::thread other(body, 1);
  body(0);
  other.join();
}

}  // namespace
}  // namespace rondo::bind
