// What kernels that wait need beside the buffers, on emulated devices; tests/device/direct has the
// rest.

#include "api/device/kernel_order.hpp"

#include <gtest/gtest.h>

#include <array>

#include "api/device/block_account.hpp"
#include "harness.hpp"

namespace rondo::test {
namespace {

constexpr std::size_t packet_bytes = 1024;
constexpr std::size_t count = packet_bytes / sizeof(std::uint32_t);
constexpr std::uint32_t last_turn = (1u << 31) - 1;  // before what is left in boxes is cleared

struct Rank {
  const Stream stream{runtime()};
  const Memory annex{runtime(), Allocation::device, KernelOrder::annex_bytes(2, packet_bytes)};
  const Memory numbers{runtime(), Allocation::device, packet_bytes};

  void write(void* to, const void* from, std::size_t bytes) const {
    must(runtime().copy(stream, to, from, bytes));
    must(runtime().synchronize(stream));
  }
};

class TwoRanks {
 public:
  TwoRanks() {
    const std::vector<std::byte> garbage(KernelOrder::annex_bytes(2, packet_bytes), std::byte{7});
    for (std::size_t r = 0; r < 2; ++r) {
      ranks_[r].write(ranks_[r].annex.bytes(), garbage.data(), garbage.size());
      orders_[r] = std::make_unique<KernelOrder>(
          runtime(),
          KernelOrder::Place{.stream = ranks_[r].stream,
                             .rank = static_cast<int>(r),
                             .most_slices = 2,
                             .packet_bytes = packet_bytes,
                             .stop = nullptr,
                             .annexes = {ranks_[0].annex.bytes(), ranks_[1].annex.bytes()}});
      must(orders_[r]->prepare());
    }
  }

  bool begin(std::uint32_t turn) {
    bool serves = true;
    for (const auto& order : orders_) {
      must(order->begin_call(turn));
      serves = serves && order->serves(packet_bytes);
    }
    return serves;
  }
  /// The sum of what the ranks have, in place, is what it has to be.
  bool adds_up() {
    for (std::size_t r = 0; r < 2; ++r) {
      const std::vector<std::uint32_t> numbers(count, static_cast<std::uint32_t>(r + 1));
      ranks_[r].write(ranks_[r].numbers.bytes(), numbers.data(), packet_bytes);
    }
    for (std::size_t r = 0; r < 2; ++r) {
      const ErasedCall call{.collective = Collective::allreduce,
                            .send = ranks_[r].numbers.bytes(),
                            .receive = ranks_[r].numbers.bytes(),
                            .count = count,
                            .dtype = DType::u32};
      must(orders_[r]->carry_out(packets_of(call, static_cast<int>(r), 2), DType::u32, Op::sum));
    }
    bool adds_up = true;
    for (const Rank& rank : ranks_) {
      std::vector<std::uint32_t> got(count);
      rank.write(got.data(), rank.numbers.bytes(), packet_bytes);
      adds_up = adds_up && got == std::vector<std::uint32_t>(count, 3);
    }
    return adds_up;
  }
  /// As if packets were left of long ago, when flags were the same.
  void leave_packets(std::uint32_t flag) {
    const std::vector<std::uint64_t> old(2 * 2 * packet_bytes / 8, (std::uint64_t{flag} << 32) | 9);
    const std::size_t bytes = old.size() * sizeof(old[0]);
    for (const Rank& rank : ranks_) {
      const std::size_t end = KernelOrder::annex_bytes(2, packet_bytes);
      rank.write(rank.annex.bytes() + end - bytes, old.data(), bytes);
    }
  }

 private:
  std::array<Rank, 2> ranks_;
  std::array<std::unique_ptr<KernelOrder>, 2> orders_;
};

TEST(KernelOrder, ClearsOldPacketsBeforeFlagsComeRound) {
  TwoRanks ranks;
  ASSERT_TRUE(ranks.begin(last_turn));
  EXPECT_TRUE(ranks.adds_up());
  ranks.leave_packets(last_turn + 2);
  EXPECT_FALSE(ranks.begin(last_turn + 1)) << "a call in which boxes are cleared";
  ASSERT_TRUE(ranks.begin(last_turn + 2));
  EXPECT_TRUE(ranks.adds_up());
}

TEST(KernelOrder, DoesNotClearOtherwise) {
  TwoRanks ranks;
  ranks.leave_packets(2);
  ASSERT_TRUE(ranks.begin(1));
  ASSERT_TRUE(ranks.begin(2));
  EXPECT_FALSE(ranks.adds_up()) << "this test cannot tell old packets from new ones";
}

struct Seat {
  std::uint64_t process;
  std::uint8_t device;
};

DevicePaths paths_of(const std::vector<Seat>& ranks) {
  std::vector<DeviceSeat> seats;
  for (const Seat& rank : ranks) {
    DeviceSeat seat;
    seat.process.process = rank.process;
    seat.uuid[0] = rank.device;
    seats.push_back(seat);
  }
  const std::vector<DeviceLink> links(seats.size() * seats.size(), DeviceLink::not_known);
  return {std::move(seats), links, rondo::Machine()};
}

int slices_of(const std::vector<Seat>& ranks, int resident, const DeviceWishes& wishes = {}) {
  const std::vector<int> blocks(ranks.size(), resident);
  return slices_of_kernels(paths_of(ranks), blocks, wishes);
}

TEST(KernelOrder, KernelsOfAllRanksTakeHalfOfADevice) {
  EXPECT_EQ(slices_of({{1, 1}, {1, 1}}, 16), 4);
  EXPECT_EQ(slices_of({{1, 1}, {2, 2}}, 16), 8);
  EXPECT_EQ(slices_of({{1, 1}, {1, 1}, {2, 2}}, 16), 4);
  EXPECT_EQ(slices_of({{1, 1}, {1, 1}}, 3), 0) << "there is no room for both";
  EXPECT_EQ(slices_of({{1, 1}, {2, 2}}, 1000), most_slices);
}

TEST(KernelOrder, ProcessesThatShareADeviceLeaveItToStreams) {
  EXPECT_EQ(slices_of({{1, 1}, {2, 1}}, 16), 0);
  EXPECT_EQ(slices_of({{1, 1}, {2, 2}, {3, 1}}, 16), 0);
  EXPECT_EQ(slices_of({{1, 1}, {2, 1}}, 16, {.order = DeviceOrder::kernels}), 4);
  EXPECT_EQ(slices_of({{1, 1}, {2, 2}}, 16, {.order = DeviceOrder::streams}), 0);
}

TEST(KernelOrder, ProcessesCountTheBlocksOfAll) {
  EXPECT_EQ(blocks_of_kernels(paths_of({{1, 1}, {1, 1}}), 1, 4), 4);
  EXPECT_EQ(blocks_of_kernels(paths_of({{1, 1}, {2, 2}, {1, 2}}), 0, 4), 4);
  EXPECT_EQ(blocks_of_kernels(paths_of({{1, 1}, {2, 1}}), 0, 4), 8);
  EXPECT_EQ(blocks_of_kernels(paths_of({{1, 1}, {2, 1}, {1, 1}}), 0, 1), 2) << "rounded up";
}

TEST(BlockShare, IsOfWhatIsLeftOfAProcessAndDevice) {
  const ProcessName process{1, 2};
  auto most = must(BlockShare::take(process, 0, 10, 16));
  const auto more = BlockShare::take(process, 0, 7, 16);
  ASSERT_FALSE(more);
  EXPECT_EQ(more.error().code(), ErrorCode::resource);
  EXPECT_TRUE(BlockShare::take(process, 1, 16, 16)) << "another device";
  EXPECT_TRUE(BlockShare::take({1, 3}, 0, 16, 16)) << "another process";
  EXPECT_TRUE(BlockShare::take(process, 0, 6, 16));
  most.reset();
  EXPECT_TRUE(BlockShare::take(process, 0, 16, 16)) << "nothing came back";
}

}  // namespace

std::vector<Role*> roles() {
  return {};
}

}  // namespace rondo::test
