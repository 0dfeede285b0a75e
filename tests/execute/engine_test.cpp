// The engine over transports that do what no real one should be made to do.

#include "execute/engine.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <atomic>
#include <new>

#include "transport/inproc.hpp"

namespace rondo {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;

// Rank 0 of two; the other one never says a word.
class Lonely : public Transport {
 public:
  Lonely() : Transport("lonely", 0, 2) {}
  Result<> begin(std::uint64_t, const Call&, std::span<const Link>) override { return {}; }
  void post(Transfer& transfer) override { transfer.state = Transfer::State::posted; }
  Result<bool> poll(std::chrono::microseconds) override { return false; }
  bool release(Transfer&) override { return true; }
  void cancel() override { cancelled = true; }
  void wake() override {}
  Error conclude(const Error& finding, std::span<const int>) override { return finding; }
  Result<std::unique_ptr<Transport>> split(std::span<const int>, std::uint64_t) override {
    throw std::bad_alloc();
  }

  bool cancelled = false;
};

Operation barrier(milliseconds timeout) {
  PlanCache plans(0);
  Operation operation;
  operation.call.collective = Collective::barrier;
  operation.set_program(plans.get({Algorithm::one_shot, Collective::barrier, 2}).value(), {});
  operation.timeout = timeout;
  return operation;
}

// Sleeps in poll() for as long as nobody wakes it.
class Sleeper final : public Lonely {
 public:
  Result<bool> poll(std::chrono::microseconds) override {
    std::unique_lock lock(mutex_);
    is_asleep_ = true;
    changed_.notify_all();
    slept_through_ |= !changed_.wait_for(lock, std::chrono::seconds(60), [this] { return woken_; });
    return false;
  }
  void wake() override {
    const std::lock_guard lock(mutex_);
    woken_ = true;
    changed_.notify_all();
  }
  void await_sleep() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return is_asleep_; });
  }
  bool slept_through() const { return slept_through_; }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool is_asleep_ = false;
  bool woken_ = false;
  bool slept_through_ = false;
};

TEST(Engine, AbortWakesASleepingOperation) {
  auto transport = std::make_unique<Sleeper>();
  Sleeper& sleeper = *transport;
  Engine engine(std::move(transport), false);
  const auto pending = engine.start(barrier(milliseconds(120'000)));
  sleeper.await_sleep();
  engine.abort("enough");
  pending->wait();
  EXPECT_FALSE(sleeper.slept_through());
  EXPECT_EQ(pending->error()->code(), ErrorCode::aborted);
  EXPECT_TRUE(sleeper.cancelled);
}

TEST(Engine, EveryOperationEndsByItsDeadlineAlsoWhileSomethingMoves) {
  class Busy final : public Lonely {
    Result<bool> poll(std::chrono::microseconds) override { return true; }
  };
  Engine engine(std::make_unique<Busy>(), true);
  const Result<> result = engine.run(barrier(milliseconds(10)));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), ErrorCode::timeout);
}

// A rank that waits lets others move on: while it polls, and between sleeps that it keeps short.
TEST(Engine, LetsOthersMoveOnWhileItWaits) {
  class Patient final : public Lonely {
   public:
    Result<bool> poll(std::chrono::microseconds patience) override {
      longest_sleep = std::max(longest_sleep, patience);
      return false;
    }
    std::chrono::microseconds longest_sleep{0};
  };
  for (const bool may_spin : {true, false}) {
    auto transport = std::make_unique<Patient>();
    Patient& patient = *transport;
    Engine engine(std::move(transport), may_spin);
    int calls = 0;
    engine.set_progress([&] {
      if (++calls == 100) engine.abort("enough");
    });
    const Result<> result = engine.run(barrier(milliseconds(120'000)));
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code(), ErrorCode::aborted);
    EXPECT_EQ(calls, 100);
    EXPECT_LE(patient.longest_sleep, milliseconds(1));
  }
}

// Buffers that somebody else has for a while.
struct Held final : Handover {
  std::atomic<bool> is_there = false;
  std::optional<Error> error;
  Result<std::uint32_t> given() override { return is_there ? 1 : 0; }
  void take(std::uint32_t) noexcept override {}
  void take_back(const std::optional<Error>& reason) noexcept override { error = reason; }
};

// Alone in the world, where each operation is done at once.
Operation alone() {
  PlanCache plans(0);
  Operation operation;
  operation.call.collective = Collective::barrier;
  operation.set_program(plans.get({Algorithm::one_shot, Collective::barrier, 1}).value(), {});
  operation.timeout = milliseconds(60'000);
  return operation;
}

TEST(Engine, OperationsThatMayGoBeforeOneThatWaitsForItsBuffers) {
  Engine engine(std::move(make_inproc(1).front()), false);
  engine.prepare_to_start();
  const auto held = std::make_shared<Held>();
  Operation waiting = alone();
  waiting.handover = held;
  const auto first = engine.start(std::move(waiting));
  const auto second = engine.start(alone());
  Operation overtaking = alone();
  overtaking.may_overtake = true;
  for (int i = 0; i < 2; ++i) engine.start(overtaking)->wait();
  EXPECT_FALSE(first->done());
  EXPECT_FALSE(second->done());
  held->is_there = true;
  second->wait();
  EXPECT_TRUE(first->done());
  EXPECT_FALSE(held->error);
}

// The one that waits hears of it as well.
TEST(Engine, WhatEndsOneThatWentBeforeEndsAll) {
  Engine engine(std::make_unique<Lonely>(), false);
  const auto held = std::make_shared<Held>();
  Operation waiting = barrier(milliseconds(60'000));
  waiting.handover = held;
  const auto first = engine.start(std::move(waiting));
  Operation overtaking = barrier(milliseconds(1));
  overtaking.may_overtake = true;
  const auto second = engine.start(std::move(overtaking));
  first->wait();
  EXPECT_EQ(second->error()->code(), ErrorCode::timeout);
  EXPECT_EQ(first->error()->code(), ErrorCode::timeout);
  EXPECT_EQ(held->error->code(), ErrorCode::timeout);
}

TEST(PendingOperation, KeepsItsFirstErrorWhenItIsReopened) {
  PendingOperation pending(alone());
  pending.complete(std::nullopt);
  pending.reopen();
  EXPECT_FALSE(pending.done());
  pending.complete(Error(ErrorCode::timeout, "first"));
  pending.reopen();
  pending.complete(Error(ErrorCode::aborted, "second"));
  EXPECT_EQ(pending.error()->text(), "first");
  pending.rearm();
  pending.complete(std::nullopt);
  EXPECT_FALSE(pending.error());
}

TEST(Engine, WhatATransportThrowsBecomesAnErrorAndEndsTheCommunicator) {
  class Broken final : public Lonely {
   public:
    explicit Broken(std::function<void()> what) : what_(std::move(what)) {}
    Result<bool> poll(std::chrono::microseconds) override {
      what_();
      return false;
    }

   private:
    std::function<void()> what_;
  };
  struct Case {
    std::function<void()> what;
    ErrorCode code;
    std::string words;
  };
  const std::vector<Case> cases = {
      {[] { throw std::bad_alloc(); }, ErrorCode::resource, "out of memory"},
      {[] { throw std::logic_error("seven is not eight"); }, ErrorCode::internal, "seven is not"},
      {[] { throw Error(ErrorCode::io, "no cable"); }, ErrorCode::io, "no cable"}};
  for (const Case& c : cases) {
    for (const bool in_background : {false, true}) {
      Engine engine(std::make_unique<Broken>(c.what), false);
      std::optional<Error> error;
      if (in_background) {
        const auto pending = engine.start(barrier(milliseconds(60'000)));
        pending->wait();
        error = pending->error();
      } else {
        error = engine.run(barrier(milliseconds(60'000))).error();
      }
      ASSERT_TRUE(error);
      EXPECT_EQ(error->code(), c.code);
      EXPECT_THAT(error->text(), HasSubstr(c.words));
      EXPECT_THAT(engine.run(barrier(milliseconds(60'000))).error().text(), HasSubstr(c.words));
    }
  }
}

TEST(Engine, AnExceptionInATaskGivesTheTransportBack) {
  Engine engine(std::make_unique<Lonely>(), false);
  const auto task = [](Transport& transport) { return transport.split({}, 1).ok(); };
  EXPECT_THROW(engine.exclusively(task), std::bad_alloc);
  EXPECT_THROW(engine.exclusively(task), std::bad_alloc);  // and does not wait for ever
}

}  // namespace
}  // namespace rondo
