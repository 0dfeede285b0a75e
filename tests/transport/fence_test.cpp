// Ranks that sleep are woken by what arrives, with fences that cost the writer nothing, and where
// the kernel has none of these.

#include "transport/shm/fence.hpp"

#include <gtest/gtest.h>
#include <sys/syscall.h>

#include <array>
#include <chrono>
#include <thread>

#include "transport/forbid.hpp"
#include "transport/processes.hpp"

namespace rondo::process {
namespace {

using std::chrono::microseconds;

constexpr auto longest_sleep = std::chrono::seconds(30);
constexpr std::uint64_t rounds = 3000;

// The ranks take turns. Each one lets the other wait for another time before it sends, so that some
// messages meet a rank that is just falling asleep.
std::optional<Error> take_turns(Transport& transport) {
  const Call call = allreduce_of(1);
  const Link link{1 - transport.rank(), 0};
  std::byte own{1};
  std::byte others{0};
  for (std::uint64_t round = 1; round <= rounds; ++round) {
    if (Result<> begun = transport.begin(round, call, std::array{link}); !begun) {
      return begun.error();
    }
    Transfer transfer;
    const bool sends = (round + static_cast<std::uint64_t>(transport.rank())) % 2 == 0;
    transfer.kind = sends ? Transfer::Kind::send : Transfer::Kind::recv;
    transfer.link = link;
    transfer.data = sends ? &own : &others;
    transfer.size = 1;
    if (sends) std::this_thread::sleep_for(microseconds(round % 97));
    transport.post(transfer);
    const auto begin = Transport::Clock::now();
    while (transfer.state.load() != Transfer::State::done) {
      const Result<bool> moved = transport.poll(longest_sleep);
      if (!moved) return moved.error();
      if (Transport::Clock::now() - begin >= longest_sleep) {
        return Error(ErrorCode::timeout, concat("nobody was woken in round ", round));
      }
    }
  }
  return std::nullopt;
}

void expect_all_woken(const std::function<bool(int rank)>& may_have_fences) {
  const auto prepare = [&](int rank) {
    if (!may_have_fences(rank)) (void)forbid_system_call(SYS_membarrier);
  };
  const auto body = [&](Transport& transport) -> std::optional<Error> {
    if (!may_have_fences(transport.rank()) && has_fences_everywhere()) {
      return Error(ErrorCode::internal, "membarrier is not forbidden");
    }
    return take_turns(transport);
  };
  const ProcessWorld world(2, body, {}, Medium::shm, prepare);
  for (int rank = 0; rank < 2; ++rank) {
    ASSERT_EQ(world.read_line(rank), "formed");
    EXPECT_EQ(world.read_line(rank), "fine");
  }
}

TEST(Fence, NoMessageLeavesARankAsleep) {
  expect_all_woken([](int) { return true; });
}

TEST(Fence, NoneDoesWhereTheKernelHasNoFencesEverywhere) {
  expect_all_woken([](int) { return false; });
}

TEST(Fence, NoneDoesWhereOneRankHasNone) {
  expect_all_woken([](int rank) { return rank == 0; });
}

}  // namespace
}  // namespace rondo::process
