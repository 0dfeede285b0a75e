// Ranks that sleep are woken by what arrives, with fences that cost the writer nothing, and where
// the kernel has none of these.

#include "transport/shm/fence.hpp"

#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <thread>

#include "transport/processes.hpp"

namespace rondo::process {
namespace {

using std::chrono::microseconds;

constexpr auto longest_sleep = std::chrono::seconds(30);
constexpr std::uint64_t rounds = 3000;

// As containers do it: from now on the kernel knows no membarrier in this process.
bool forbid_membarrier() {
  std::array<sock_filter, 4> steps = {{
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_membarrier, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  }};
  const sock_fprog program = {static_cast<unsigned short>(steps.size()), steps.data()};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

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
  const auto body = [&](Transport& transport) -> std::optional<Error> {
    if (!may_have_fences(transport.rank()) && (!forbid_membarrier() || has_fences_everywhere())) {
      return Error(ErrorCode::internal, "membarrier is not forbidden");
    }
    return take_turns(transport);
  };
  const ProcessWorld world(2, body, {}, Medium::shm);
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
