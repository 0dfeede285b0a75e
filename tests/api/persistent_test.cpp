// Persistent collectives: the results of the blocking ones, in one order with all others, and an
// error for what makes no sense.

#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <functional>
#include <random>
#include <thread>

#include "api/inputs.hpp"

namespace rondo {
namespace {

using std::chrono::milliseconds;
using testing::error_of;
using testing::guard;
using ::testing::HasSubstr;
using testing::inputs;
using testing::on_processes;
using testing::on_world;
using testing::sums;
using testing::Values;
using Numbers = std::vector<std::size_t>;

constexpr std::size_t count = 5;

// A collective in both forms, from `send` to `receive`, which are long enough for all of them.
struct Kind {
  const char* name;
  std::function<void(Communicator&, std::span<float>, std::span<float>)> run;
  std::function<Persistent(Communicator&, std::span<float>, std::span<float>)> init;
};

std::size_t own(const Communicator& comm) {
  return static_cast<std::size_t>(comm.rank());
}

// Rank r's block has r + 1 elements.
Numbers growing(const Communicator& comm) {
  Numbers counts(static_cast<std::size_t>(comm.size()));
  for (std::size_t r = 0; r < counts.size(); ++r) counts[r] = r + 1;
  return counts;
}

std::size_t total(const Communicator& comm) {
  const auto size = static_cast<std::size_t>(comm.size());
  return size * (size + 1) / 2;
}

using Part = std::span<float>;

void put_inputs(Part values, int rank) {
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = testing::input(rank, i);
}

std::vector<Kind> kinds() {
  const auto first = [](Part buffer) { return buffer.first(count); };
  const auto blocks = [](Part buffer, const Communicator& comm) {
    return buffer.first(count * static_cast<std::size_t>(comm.size()));
  };
  return {
      {"allreduce", [=](auto& c, Part s, Part r) { c.allreduce(first(s), first(r), Op::max); },
       [=](auto& c, Part s, Part r) { return c.allreduce_init(first(s), first(r), Op::max); }},
      {"allreduce in place", [=](auto& c, Part, Part r) { c.allreduce(first(r)); },
       [=](auto& c, Part, Part r) { return c.allreduce_init(first(r)); }},
      {"broadcast", [=](auto& c, Part, Part r) { c.broadcast(first(r), 1); },
       [=](auto& c, Part, Part r) { return c.broadcast_init(first(r), 1); }},
      {"reduce", [=](auto& c, Part s, Part r) { c.reduce(first(s), first(r), Op::sum, 1); },
       [=](auto& c, Part s, Part r) { return c.reduce_init(first(s), first(r), Op::sum, 1); }},
      {"reduce in place", [=](auto& c, Part, Part r) { c.reduce(first(r), Op::sum, 1); },
       [=](auto& c, Part, Part r) { return c.reduce_init(first(r), Op::sum, 1); }},
      {"scan", [=](auto& c, Part s, Part r) { c.scan(first(s), first(r)); },
       [=](auto& c, Part s, Part r) { return c.scan_init(first(s), first(r)); }},
      {"scan in place", [=](auto& c, Part, Part r) { c.scan(first(r)); },
       [=](auto& c, Part, Part r) { return c.scan_init(first(r)); }},
      {"exscan", [=](auto& c, Part s, Part r) { c.exscan(first(s), first(r)); },
       [=](auto& c, Part s, Part r) { return c.exscan_init(first(s), first(r)); }},
      {"exscan in place", [=](auto& c, Part, Part r) { c.exscan(first(r)); },
       [=](auto& c, Part, Part r) { return c.exscan_init(first(r)); }},
      {"allgather", [=](auto& c, Part s, Part r) { c.allgather(first(s), blocks(r, c)); },
       [=](auto& c, Part s, Part r) { return c.allgather_init(first(s), blocks(r, c)); }},
      {"allgather in place", [=](auto& c, Part, Part r) { c.allgather(blocks(r, c)); },
       [=](auto& c, Part, Part r) { return c.allgather_init(blocks(r, c)); }},
      {"reduce_scatter", [=](auto& c, Part s, Part r) { c.reduce_scatter(blocks(s, c), first(r)); },
       [=](auto& c, Part s, Part r) { return c.reduce_scatter_init(blocks(s, c), first(r)); }},
      {"gather", [=](auto& c, Part s, Part r) { c.gather(first(s), blocks(r, c), 1); },
       [=](auto& c, Part s, Part r) { return c.gather_init(first(s), blocks(r, c), 1); }},
      {"gather in place",
       [=](auto& c, Part, Part r) { c.gather(c.rank() == 1 ? blocks(r, c) : first(r), 1); },
       [=](auto& c, Part, Part r) {
         return c.gather_init(c.rank() == 1 ? blocks(r, c) : first(r), 1);
       }},
      {"scatter", [=](auto& c, Part s, Part r) { c.scatter(blocks(s, c), first(r), 1); },
       [=](auto& c, Part s, Part r) { return c.scatter_init(blocks(s, c), first(r), 1); }},
      {"scatter in place",
       [=](auto& c, Part, Part r) { c.scatter(c.rank() == 1 ? blocks(r, c) : first(r), 1); },
       [=](auto& c, Part, Part r) {
         return c.scatter_init(c.rank() == 1 ? blocks(r, c) : first(r), 1);
       }},
      {"alltoall", [=](auto& c, Part s, Part r) { c.alltoall(blocks(s, c), blocks(r, c)); },
       [=](auto& c, Part s, Part r) { return c.alltoall_init(blocks(s, c), blocks(r, c)); }},
      {"alltoall in place", [=](auto& c, Part, Part r) { c.alltoall(blocks(r, c)); },
       [=](auto& c, Part, Part r) { return c.alltoall_init(blocks(r, c)); }},
      {"barrier", [](auto& c, Part, Part) { c.barrier(); },
       [](auto& c, Part, Part) { return c.barrier_init(); }},
  };
}

// The counts live no longer than the call that makes the object.
std::vector<Kind> uneven_kinds() {
  const auto mine = [](Part buffer, const Communicator& c) { return buffer.first(own(c) + 1); };
  const auto all = [](Part buffer, const Communicator& c) { return buffer.first(total(c)); };
  return {
      {"allgatherv",
       [=](auto& c, Part s, Part r) { c.allgatherv(mine(s, c), all(r, c), growing(c)); },
       [=](auto& c, Part s, Part r) {
         return c.allgatherv_init(mine(s, c), all(r, c), growing(c));
       }},
      {"allgatherv in place", [=](auto& c, Part, Part r) { c.allgatherv(all(r, c), growing(c)); },
       [=](auto& c, Part, Part r) { return c.allgatherv_init(all(r, c), growing(c)); }},
      {"reduce_scatterv",
       [=](auto& c, Part s, Part r) { c.reduce_scatterv(all(s, c), mine(r, c), growing(c)); },
       [=](auto& c, Part s, Part r) {
         return c.reduce_scatterv_init(all(s, c), mine(r, c), growing(c));
       }},
      {"gatherv", [=](auto& c, Part s, Part r) { c.gatherv(mine(s, c), all(r, c), 1, growing(c)); },
       [=](auto& c, Part s, Part r) {
         return c.gatherv_init(mine(s, c), all(r, c), 1, growing(c));
       }},
      {"scatterv",
       [=](auto& c, Part s, Part r) { c.scatterv(all(s, c), mine(r, c), 1, growing(c)); },
       [=](auto& c, Part s, Part r) {
         return c.scatterv_init(all(s, c), mine(r, c), 1, growing(c));
       }},
      {"alltoallv in place",
       [=](auto& c, Part, Part r) {
         const Numbers counts(static_cast<std::size_t>(c.size()), 3);
         c.alltoallv(r.first(3 * counts.size()), {counts});
       },
       [=](auto& c, Part, Part r) {
         const Numbers counts(static_cast<std::size_t>(c.size()), 3);
         return c.alltoallv_init(r.first(3 * counts.size()), {counts});
       }},
  };
}

// Three calls of each, with other values each time.
void compare(Communicator& comm, const std::vector<Kind>& some) {
  const std::size_t room = count * static_cast<std::size_t>(comm.size()) + 8;
  for (const Kind& kind : some) {
    SCOPED_TRACE(kind.name);
    Values send(room);
    Values receive(room);
    Persistent call = kind.init(comm, send, receive);
    for (std::size_t turn = 0; turn < 3; ++turn) {
      const Values given = inputs(comm.rank(), room, 100 * turn);
      const Values before = inputs(comm.rank(), room, 100 * turn + 50);
      send = given;
      receive = before;
      call.start();
      call.wait();
      const Values got = receive;
      EXPECT_EQ(send, given);
      receive = before;
      kind.run(comm, send, receive);
      EXPECT_EQ(got, receive) << "turn " << turn;
    }
  }
}

TEST(Persistent, EveryCollectiveGivesWhatTheBlockingOneGives) {
  for (const int ranks : {2, 3, 5}) {
    on_world(ranks, {}, [](Communicator& comm) {
      compare(comm, kinds());
      compare(comm, uneven_kinds());
    });
  }
  on_processes(2, {}, [](Communicator& comm) { compare(comm, kinds()); });
}

TEST(Persistent, TakesNoThreadOfItsOwnAsLongAsNothingElseIsUnderWay) {
  const auto threads = [] {
    const std::filesystem::directory_iterator tasks("/proc/self/task");
    return std::distance(begin(tasks), end(tasks));
  };
  on_processes(2, {}, [&](Communicator& comm) {
    const auto before = threads();
    Values values(count, 1.0f);
    Persistent sum = comm.allreduce_init(values);
    for (int turn = 0; turn < 3; ++turn) {
      sum.start();
      while (!sum.test()) std::this_thread::yield();
      sum.start();
      sum.wait();
      comm.barrier();
    }
    EXPECT_EQ(threads(), before);
    EXPECT_EQ(values, Values(count, 64.0f));
  });
}

TEST(Persistent, StandsInOneOrderWithAllOtherCalls) {
  on_world(3, {}, [](Communicator& comm) {
    float one = 1;
    Values first = inputs(comm.rank(), count);
    Values second = inputs(comm.rank(), count);
    Values third = inputs(comm.rank(), count);
    Persistent a = comm.allreduce_init(first);
    Persistent b = comm.allreduce_init(second);
    for (int turn = 0; turn < 20; ++turn) {
      for (Values* values : {&first, &second, &third}) put_inputs(*values, comm.rank());
      a.start();
      b.start();
      Work work = comm.iallreduce(third);
      EXPECT_EQ(comm.allreduce_value(one), 3);
      a.wait();
      work.wait();
      b.wait();
      EXPECT_EQ(first, sums(0, 2, count));
      EXPECT_EQ(second, sums(0, 2, count));
      EXPECT_EQ(third, sums(0, 2, count));
      put_inputs(first, comm.rank());
      a.start();
      EXPECT_EQ(comm.allreduce_value(one), 3);  // goes after it
      EXPECT_TRUE(a.test());
      EXPECT_EQ(first, sums(0, 2, count));
    }
    a.start();
    Communicator copy = comm.duplicate();
    EXPECT_TRUE(a.test());
  });
}

// Something that is begun in one turn and ended in a later one.
struct Begun {
  std::function<void()> begin;
  std::function<void()> end;
  Values values = Values(count);
  bool is_under_way = false;

  void next(const Communicator& comm) {
    if (is_under_way) {
      end();
      EXPECT_EQ(values, sums(0, comm.size() - 1, count));
    } else {
      put_inputs(values, comm.rank());
      begin();
    }
    is_under_way = !is_under_way;
  }
};

TEST(Persistent, GoesWithOtherCallsInAnyMixture) {
  on_world(3, {}, [](Communicator& comm) {
    std::array<Begun, 3> begun;
    std::array<Persistent, 2> calls;
    for (std::size_t i = 0; i < calls.size(); ++i) {
      calls[i] = comm.allreduce_init(begun[i].values);
      begun[i].begin = [&calls, i] { calls[i].start(); };
    }
    begun[0].end = [&] { calls[0].wait(); };
    begun[1].end = [&] {
      while (!calls[1].test()) std::this_thread::yield();
    };
    Work work;
    begun[2].begin = [&] { work = comm.iallreduce(begun[2].values); };
    begun[2].end = [&] { work.wait(); };
    std::minstd_rand random(42);  // the same on all ranks
    for (int turn = 0; turn < 200; ++turn) {
      const auto choice = random() % (begun.size() + 1);
      if (choice < begun.size()) {
        begun[choice].next(comm);
      } else {
        EXPECT_EQ(comm.allreduce_value(1), 3);
      }
    }
  });
}

TEST(Persistent, WhoseLastStartWasNotWaitedForIsNotStarted) {
  on_world(2, {}, [](Communicator& comm) {
    Values values = inputs(comm.rank(), count);
    Persistent sum = comm.allreduce_init(values);
    sum.start();
    const Error error = error_of([&] { sum.start(); });
    EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
    EXPECT_THAT(error.text(), HasSubstr("allreduce whose last start() was not waited for"));
    sum.wait();
    EXPECT_EQ(values, sums(0, 1, count));
    EXPECT_FALSE(comm.error());
  });
}

TEST(Persistent, WithoutAStartThereIsNothingToWaitFor) {
  on_world(2, {}, [](Communicator& comm) {
    if (comm.rank() == 1) return;  // who would wait for it in vain
    Values values(count, guard);
    Persistent sum = comm.allreduce_init(values);
    sum.wait();
    EXPECT_TRUE(sum.test());
    EXPECT_EQ(values, Values(count, guard));
  });
  Persistent none;
  EXPECT_FALSE(none);
  for (const auto& call : std::vector<std::function<void()>>{
           [&] { none.start(); }, [&] { none.wait(); }, [&] { (void)none.test(); }}) {
    EXPECT_EQ(error_of(call).code(), ErrorCode::invalid_argument);
  }
}

TEST(Persistent, DestroyedOrReplacedWhileUnderWayItIsFinishedFirst) {
  on_world(3, {}, [](Communicator& comm) {
    Values values = inputs(comm.rank(), count);
    {
      Persistent sum = comm.allreduce_init(values);
      sum.start();
    }
    EXPECT_EQ(values, sums(0, 2, count));
    put_inputs(values, comm.rank());
    Persistent sum = comm.allreduce_init(values);
    sum.start();
    sum = comm.barrier_init();
    EXPECT_EQ(values, sums(0, 2, count));
    sum.start();
    Persistent moved = std::move(sum);
    moved.wait();
  });
}

TEST(Persistent, OutlivesItsCommunicatorWhichFinishesWhatIsUnderWay) {
  on_world(2, {}, [](Communicator& comm) {
    Values values = inputs(comm.rank(), count);
    Persistent sum = comm.allreduce_init(values);
    sum.start();
    comm = Communicator();
    EXPECT_EQ(values, sums(0, 1, count));
    EXPECT_TRUE(sum.test());
    const Error error = error_of([&] { sum.start(); });
    EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
    EXPECT_THAT(error.text(), HasSubstr("communicator is gone"));
    sum.wait();
  });
}

TEST(Persistent, WhatGoesWrongIsToldOnceByWaitOrTest) {
  on_world(2, {.timeout = milliseconds(60'000)}, [](Communicator& comm) {
    Values values(count + static_cast<std::size_t>(comm.rank()));
    Persistent sum = comm.allreduce_init(values);
    sum.start();
    EXPECT_EQ(error_of([&] { sum.wait(); }).code(), ErrorCode::mismatch);
    sum.wait();
    EXPECT_EQ(comm.error()->code(), ErrorCode::mismatch);
    sum.start();
    const Error later = error_of([&] {
      while (!sum.test()) std::this_thread::yield();
    });
    EXPECT_EQ(later.code(), ErrorCode::mismatch);
    EXPECT_THAT(later.text(), HasSubstr("this communicator has ended"));
    EXPECT_TRUE(sum.test());
  });
}

TEST(Persistent, APeerThatIsLateIsNamedByTheDeadline) {
  std::vector<Communicator> world = Communicator::local(2, {.timeout = milliseconds(100)});
  Values values(count);
  Persistent sum = world[0].allreduce_init(values);
  sum.start();
  const Error error = error_of([&] { sum.wait(); });
  EXPECT_EQ(error.code(), ErrorCode::timeout);
  EXPECT_EQ(error.peer(), 1);
}

TEST(Persistent, AnAbortEndsWhatNobodyIsWaitingFor) {
  std::vector<Communicator> world = Communicator::local(2, {.timeout = milliseconds(60'000)});
  Values values(count);
  Persistent sum = world[0].allreduce_init(values);
  sum.start();
  std::thread([&] { world[0].abort("enough"); }).join();
  EXPECT_EQ(world[0].error()->code(), ErrorCode::aborted);
  const Error error = error_of([&] { (void)sum.test(); });
  EXPECT_EQ(error.code(), ErrorCode::aborted);
  EXPECT_EQ(error_of([&] { world[1].barrier(); }).code(), ErrorCode::aborted);
}

TEST(Persistent, RefusesWhatTheBlockingCallRefuses) {
  on_world(2, {}, [](Communicator& comm) {
    Values send(4);
    Values receive(5);
    EXPECT_EQ(error_of([&] { (void)comm.allreduce_init(send, receive); }).code(),
              ErrorCode::invalid_argument);
    EXPECT_EQ(error_of([&] { (void)comm.broadcast_init(send, 2); }).code(),
              ErrorCode::invalid_argument);
    EXPECT_EQ(error_of([&] { (void)comm.scan_init(send, Op::avg); }).code(),
              ErrorCode::invalid_argument);
  });
  Communicator none;
  Values values(1);
  EXPECT_EQ(error_of([&] { (void)none.allreduce_init(values); }).code(),
            ErrorCode::invalid_argument);
}

TEST(Persistent, AForkedChildCanOnlyDropIt) {
  std::vector<Communicator> world = Communicator::local(1);
  std::vector<Communicator> pair = Communicator::local(2);
  Values values(count);
  Persistent idle = world[0].allreduce_init(values);
  Persistent active = pair[0].allreduce_init(values);
  active.start();
  const pid_t child = ::fork();
  if (child == 0) {
    const bool refuses = error_of([&] { idle.start(); }).code() == ErrorCode::invalid_argument &&
                         error_of([&] { active.wait(); }).code() == ErrorCode::invalid_argument;
    active = Persistent();
    ::_exit(refuses ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  Values theirs(count);
  Work work = pair[1].iallreduce(theirs);
  active.wait();
  work.wait();
}

}  // namespace
}  // namespace rondo
