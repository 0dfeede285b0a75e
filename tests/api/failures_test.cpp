// Whatever goes wrong, every rank gets an error in time, and the error names the culprit.

#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/world.hpp"

namespace rondo {
namespace {

using std::chrono::milliseconds;
using testing::error_of;
using ::testing::HasSubstr;
using testing::on_world;

TEST(Failures, DifferentCallsAreNamedOnAllRanks) {
  const std::vector<std::function<void(Communicator&)>> odd_calls = {
      [](Communicator& comm) {
        std::vector<float> seven(7);
        comm.allreduce(seven);
      },
      [](Communicator& comm) { comm.allreduce_value(1.0); },
      [](Communicator& comm) { comm.allreduce_value(1.0f, Op::max); },
      [](Communicator& comm) { comm.barrier(); },
      [](Communicator& comm) {
        std::vector<float> all(4);
        comm.allgather(std::vector<float>(1), all);
      },
  };
  for (std::size_t odd = 0; odd < odd_calls.size(); ++odd) {
    SCOPED_TRACE(odd);
    on_world(4, {.timeout = milliseconds(60'000)}, [&](Communicator& comm) {
      const Error error = error_of([&] {
        if (comm.rank() == 2) {
          odd_calls[odd](comm);
        } else {
          comm.allreduce_value(1.0f);
        }
      });
      EXPECT_EQ(error.code(), ErrorCode::mismatch) << error.what();
      EXPECT_THAT(error.text(), HasSubstr("rank 2 called"));
      EXPECT_THAT(error.text(), HasSubstr("allreduce of 1 f32, sum"));
      const Error later = error_of([&] { comm.barrier(); });
      EXPECT_EQ(later.code(), ErrorCode::mismatch);
      EXPECT_THAT(later.text(), HasSubstr("this communicator has ended"));
    });
  }
}

TEST(Failures, ALateRankIsNamedByAllOthers) {
  for (const Algorithm algorithm : {Algorithm::ring, Algorithm::knomial, Algorithm::one_shot}) {
    on_world(4, {.timeout = milliseconds(300), .algorithm = algorithm}, [](Communicator& comm) {
      comm.set_timeout(milliseconds(60'000));
      comm.barrier();
      comm.set_timeout(milliseconds(300));
      if (comm.rank() == 1) return;  // keeps its communicator, but does not call
      const Error error = error_of([&] { comm.allreduce_value(1); });
      EXPECT_EQ(error.code(), ErrorCode::timeout) << error.what();
      EXPECT_EQ(error.peer(), 1) << error.what();
      EXPECT_THAT(error.text(), HasSubstr("rank 1 did not answer"));
    });
  }
}

TEST(Failures, ARankThatLeavesIsNamed) {
  std::vector<Communicator> world = Communicator::local(3);
  testing::on_all_ranks(world, [](Communicator& comm) {
    comm.barrier();
    if (comm.rank() == 2) {
      const Communicator gone = std::move(comm);
      return;
    }
    const Error error = error_of([&] { comm.allreduce_value(1); });
    EXPECT_EQ(error.code(), ErrorCode::peer_left) << error.what();
    EXPECT_EQ(error.peer(), 2);
  });
}

TEST(Failures, AbortEndsEverybodysCalls) {
  on_world(3, {}, [](Communicator& comm) {
    // An abort also ends a barrier that another rank has not left yet.
    const Error error = error_of([&] {
      comm.barrier();
      if (comm.rank() == 1) {
        comm.abort("the loss is not a number");
        comm.abort("said twice");
      }
      comm.allreduce_value(1);
      comm.allreduce_value(1);
    });
    EXPECT_EQ(error.code(), ErrorCode::aborted) << error.what();
    EXPECT_THAT(error.text(), HasSubstr("the loss is not a number"));
    EXPECT_TRUE(comm.error());
  });
}

TEST(Failures, AbortFromAnotherThreadEndsAWaitingCall) {
  std::vector<Communicator> world = Communicator::local(2);
  Work work = world[0].ibarrier();
  EXPECT_FALSE(work.wait_for(milliseconds(1)));
  EXPECT_FALSE(work.done());
  world[0].abort();
  EXPECT_EQ(error_of([&] { work.wait(); }).code(), ErrorCode::aborted);
}

TEST(Failures, PendingWorkFailsToo) {
  on_world(2, {}, [](Communicator& comm) {
    std::vector<float> first(5);
    std::vector<float> second(comm.rank() == 0 ? 5 : 6);
    Work one = comm.iallreduce(first);
    Work two = comm.iallreduce(second);
    Work three = comm.ibarrier();
    one.wait();
    EXPECT_EQ(error_of([&] { two.wait(); }).code(), ErrorCode::mismatch);
    EXPECT_EQ(error_of([&] { three.wait(); }).code(), ErrorCode::mismatch);
    ASSERT_TRUE(two.error());
  });
}

TEST(Failures, WrongArgumentsAreRefusedBeforeAnythingMoves) {
  on_world(2, {}, [](Communicator& comm) {
    std::vector<float> values(8);
    const auto refused = [&](const std::function<void()>& call, const char* words) {
      const Error error = error_of(call);
      EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
      EXPECT_THAT(error.text(), HasSubstr(words));
    };
    refused([&] { comm.broadcast(values, 2); }, "root 2 is outside 0…1");
    refused([&] { comm.broadcast(values, -1); }, "root -1 is outside 0…1");
    refused([&] { comm.allreduce(std::span(values).first(4), std::span(values).last(5)); },
            "send elements (4) must equal receive elements (5)");
    refused([&] { comm.allreduce(std::span(values).first(5), std::span(values).last(5)); },
            "overlap");
    refused([&] { comm.allgather(values, std::span(values)); }, "must equal");
    refused(
        [&] {
          comm.run({Collective::allreduce, nullptr, values.data(), 8, DType::f32});
        },
        "the send buffer is null");
    refused(
        [&] {
          comm.run({Collective::allreduce, values.data(), nullptr, 8, DType::f32});
        },
        "the receive buffer is null");
    refused(
        [&] {
          comm.run({Collective::allgather, values.data(), values.data(), std::size_t{1} << 62,
                    DType::f64});
        },
        "exceed the memory");
    refused([&] { comm.set_timeout(milliseconds(0)); }, "not positive");
    comm.barrier();  // the communicator is as good as before
  });
  EXPECT_EQ(error_of([] { (void)Communicator::local(0); }).code(), ErrorCode::invalid_argument);
}

TEST(Failures, UnknownNumbersAreRefused) {
  on_world(1, {}, [](Communicator& comm) {
    float value = 1;
    const ErasedCall right = {Collective::allreduce, &value, &value, 1, DType::f32};
    ErasedCall wrong = right;
    wrong.dtype = static_cast<DType>(99);
    EXPECT_THAT(error_of([&] { comm.run(wrong); }).text(), HasSubstr("no dtype number 99"));
    wrong = right;
    wrong.op = static_cast<Op>(77);
    EXPECT_THAT(error_of([&] { comm.run(wrong); }).text(), HasSubstr("no op number 77"));
    wrong = right;
    wrong.collective = static_cast<Collective>(200);
    EXPECT_THAT(error_of([&] { comm.run(wrong); }).text(), HasSubstr("no collective number 200"));
  });
}

TEST(Failures, OptionsOutOfRangeAreRefused) {
  const std::vector<Options> wrong = {{.timeout = milliseconds(0)},
                                      {.timeout = milliseconds(-5)},
                                      {.join_timeout = milliseconds(0)},
                                      {.radix = 1},
                                      {.transport = "pigeons"}};
  for (const Options& options : wrong) {
    const Error error = error_of([&] { (void)Communicator::local(2, options); });
    EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
    EXPECT_THAT(error.text(), HasSubstr("Options::"));
  }
}

TEST(Failures, AForkedChildMayOnlyDropACommunicator) {
  std::vector<Communicator> world = Communicator::local(1);
  world[0].ibarrier().wait();  // the engine's thread runs, in the parent
  world[0].barrier();          // and waits for more to do
  const pid_t child = fork();
  if (child == 0) {
    int code = 1;
    try {
      world[0].barrier();
    } catch (const Error& error) {
      code = error.code() == ErrorCode::invalid_argument ? 0 : 2;
    }
    world.clear();
    _exit(code);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
  world[0].barrier();
}

TEST(Works, CanBeReplacedAndOutliveTheirCommunicator) {
  Work work;
  EXPECT_TRUE(work.done());
  work.wait();
  {
    std::vector<Communicator> world = Communicator::local(1);
    work = world[0].ibarrier();
    work = world[0].ibarrier();  // waits for the one it held
    const Communicator moved = std::move(world[0]);
  }
  EXPECT_TRUE(work.done());
  work.wait();
  EXPECT_FALSE(work.error());
}

TEST(Failures, AnEmptyCommunicatorSaysSo) {
  Communicator empty;
  EXPECT_EQ(empty.rank(), -1);
  EXPECT_EQ(empty.size(), 0);
  std::vector<float> values(4);
  const std::vector<std::function<void()>> calls = {
      [&] { empty.allreduce(values); },
      [&] { empty.allgather(values); },
      [&] { (void)empty.iallreduce(values); },
      [&] { (void)empty.split(0, 0); },
      [&] { empty.abort(); },
      [&] { empty.set_timeout(milliseconds(1)); },
      [&] { (void)empty.error(); },
      [&] { (void)empty.explain(Collective::allreduce, 1, DType::f32); },
  };
  for (const auto& call : calls) {
    EXPECT_THAT(error_of(call).text(), HasSubstr("this communicator is empty"));
  }
}

}  // namespace
}  // namespace rondo
