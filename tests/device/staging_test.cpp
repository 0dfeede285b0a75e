// Device memory by way of the host's, chunk by chunk: between two ranks with a machine each, of
// which one lets its copies wait.

#include "api/device/staging.hpp"

#include <gtest/gtest.h>

#include <numeric>
#include <thread>

#include "device/emulated/machine.hpp"
#include "harness.hpp"
#include "transport/inproc.hpp"

namespace rondo::test {
namespace {

constexpr std::size_t count = std::size_t{3} << 18;  // floats: chunks of 1 MiB, and three of them
constexpr std::size_t bytes = count * sizeof(float);
constexpr std::int64_t many = 1'000'000;

std::vector<float> counting(float first) {
  std::vector<float> values(count);
  std::iota(values.begin(), values.end(), first);
  return values;
}

class Rank {
 public:
  Rank(std::unique_ptr<Transport> transport, const std::vector<float>& values)
      : plans_(transport->rank()), engine_(std::move(transport), false) {
    must(runtime_->copy(stream_, memory_.bytes(), values.data(), bytes));
    must(runtime_->synchronize(stream_));
  }

  std::shared_ptr<PendingOperation> start(Collective collective, Algorithm algorithm) {
    const bool gives = collective != Collective::broadcast || engine_.transport().rank() == 0;
    const ErasedCall call{.collective = collective,
                          .send = memory_.bytes(),
                          .receive = memory_.bytes(),
                          .count = count,
                          .dtype = DType::f32};
    const BuffersInUse used{.send_bytes = gives ? bytes : 0, .receive_bytes = bytes};
    return staging_.start(
        engine_, call, used, DeviceStream(stream_).native, [&](const ErasedCall& staged) {
          Operation operation;
          operation.call.collective = collective;
          operation.call.dtype = DType::f32;
          operation.call.count = count;
          operation.set_program(plans_.get({algorithm, collective, 2}).value(),
                                {count, DType::f32, Op::sum, 65536});
          operation.in = gives ? static_cast<const std::byte*>(staged.send) : nullptr;
          operation.out = static_cast<std::byte*>(staged.receive);
          operation.timeout = std::chrono::seconds(100);
          return operation;
        });
  }

  /// What device memory holds now, whatever the stream of the call is at.
  float at(std::size_t index) const {
    must(runtime_->copy(other_, seen_.bytes(), memory_.as<float>() + index, sizeof(float)));
    must(runtime_->synchronize(other_));
    return *seen_.as<float>();
  }
  std::vector<float> values() const {
    std::vector<float> got(count);
    must(runtime_->copy(stream_, got.data(), memory_.bytes(), bytes));
    must(runtime_->synchronize(stream_));
    return got;
  }

  Machine machine{1, 2 * bytes};

 private:
  PlanCache plans_;
  std::unique_ptr<DeviceRuntime> runtime_ = machine.process();
  const Memory memory_{*runtime_, Allocation::device, bytes};
  const Memory seen_{*runtime_, Allocation::pinned, sizeof(float)};
  const Stream stream_{*runtime_};
  const Stream other_{*runtime_};
  DeviceStaging staging_{*runtime_, 0};
  Engine engine_;
};

class StagingTest : public ::testing::Test {
 protected:
  StagingTest() : transports_(make_inproc(2)) {}

  static void await(const std::function<bool()>& condition) {
    while (!condition()) std::this_thread::yield();
  }

  std::vector<std::unique_ptr<Transport>> transports_;
  Rank zero_{std::move(transports_[0]), counting(1)};
  Rank one_{std::move(transports_[1]), std::vector<float>(count, 1000)};
};

// The first chunk is at the other rank's device while the rest has not left the own one.
TEST_F(StagingTest, ChunksArriveBeforeTheLastOneHasLeft) {
  const std::int64_t before = one_.machine.copies;
  zero_.machine.copies_left = 1;
  const auto sent = zero_.start(Collective::broadcast, Algorithm::chain);
  const auto got = one_.start(Collective::broadcast, Algorithm::chain);
  await([&] { return one_.machine.copies > before; });
  EXPECT_EQ(one_.at(0), 1);
  EXPECT_EQ(zero_.machine.copies_left, 0);
  EXPECT_FALSE(sent->done() || got->done());
  zero_.machine.copies_left = many;
  sent->wait();
  got->wait();
  EXPECT_EQ(one_.values(), counting(1));
}

// A rank that has not got its own memory back does not keep the other one from having the result.
TEST_F(StagingTest, WhatIsFinalDoesNotWaitForWhoTakesItsOwnBack) {
  zero_.machine.copies_left = 3;
  const auto first = zero_.start(Collective::allreduce, Algorithm::ring);
  const auto second = one_.start(Collective::allreduce, Algorithm::ring);
  second->wait();
  EXPECT_EQ(one_.values(), counting(1001));
  first->wait();
  EXPECT_EQ(zero_.machine.copies_left, 0);
  zero_.machine.copies_left = many;
  EXPECT_EQ(zero_.values(), counting(1001));
}

}  // namespace

std::vector<Role*> roles() {
  return {};
}

}  // namespace rondo::test
