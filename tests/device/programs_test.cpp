// Kernels that carry out all steps of a rank and wait for each other, on emulated and on real
// devices. What they do in which order is tested in tests/execute/block_program.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <thread>

#include "all_types.hpp"
#include "base/hash.hpp"
#include "base/text.hpp"
#include "device/kernels/block_program.hpp"
#include "harness.hpp"

namespace rondo::test {
namespace {

constexpr int most_ranks = 2;
constexpr int slices = 3;
constexpr std::size_t words_bytes = most_ranks * slices * sizeof(std::uint64_t);

// One rank's program, words and stream.
class Rank {
 public:
  Rank() { clear(); }

  void clear() {
    const std::vector<std::byte> zeros(words_bytes);
    must(runtime().copy(stream, words_.bytes(), zeros.data(), zeros.size()));
    must(runtime().synchronize(stream));
  }
  std::uint64_t* words() const { return words_.as<std::uint64_t>(); }

  void run(int rank, std::span<std::uint64_t* const> words, const BlockProgram& program,
           const std::uint32_t* stop, DType dtype = DType::u32, Op op = Op::sum) {
    const std::vector<std::byte> bytes = program.bytes();
    memory_.push_back(std::make_unique<Memory>(runtime(), Allocation::device, bytes.size()));
    must(runtime().copy(stream, memory_.back()->bytes(), bytes.data(), bytes.size()));
    const BlockCounts counts = program.counts();
    must(runtime().run(stream, {.dtype = dtype,
                                .op = op,
                                .memory = memory_.back()->bytes(),
                                .counts = &counts,
                                .words = words,
                                .rank = rank,
                                .slices = slices,
                                .piece_bytes = 64,
                                .before = 0,
                                .stop = stop}));
  }

  const Stream stream{runtime()};

 private:
  Memory words_{runtime(), Allocation::device, words_bytes};
  std::vector<std::unique_ptr<Memory>> memory_;
};

std::vector<std::uint32_t> numbers_of(const Memory& memory, std::size_t count, DeviceStream on) {
  std::vector<std::uint32_t> got(count);
  must(runtime().copy(on, got.data(), memory.bytes(), count * sizeof(got[0])));
  must(runtime().synchronize(on));
  return got;
}

DeviceReduction sum_of(std::span<const void* const> sources, void* const& destination,
                       std::size_t count) {
  return {.dtype = DType::u32,
          .op = Op::sum,
          .sources = sources,
          .destinations = std::span(&destination, 1),
          .count = count};
}

TEST(Programs, FitOnTheDevice) {
  EXPECT_GE(must(runtime().resident_blocks(0)), most_ranks * slices);
}

// Each rank adds to what the other one has made, in turns; the one that waits begins first.
TEST(Programs, WaitForEachOther) {
  constexpr std::size_t count = 1003;
  constexpr std::uint32_t turns = 6;
  std::array<Rank, 2> ranks;
  const std::vector<std::uint64_t*> words = {ranks[0].words(), ranks[1].words()};
  const Memory memory(runtime(), Allocation::device, 2 * count * 4);
  const Memory pinned(runtime(), Allocation::pinned, 4);
  auto* const stop = pinned.as<std::uint32_t>();
  *stop = 0;
  const std::vector<std::uint32_t> ones(2 * count, 1);
  must(runtime().copy(ranks[0].stream, memory.bytes(), ones.data(), ones.size() * 4));
  must(runtime().synchronize(ranks[0].stream));
  // Doubles it: memory[0] is what changes.
  const std::array<const void*, 2> sources = {memory.bytes(), memory.bytes()};
  void* const destination = memory.bytes();
  for (const int rank : {1, 0}) {
    BlockProgram program;
    for (std::uint32_t turn = 0; turn < turns; ++turn) {
      if (turn > 0 || rank == 1) program.wait(1 - rank, rank == 1 ? turn + 1 : turn);
      must(program.move(sum_of(sources, destination, count)));
      program.tell(1 - rank, turn + 1);
      program.end_step();
    }
    ranks[static_cast<std::size_t>(rank)].run(rank, words, program, stop);
  }
  for (const Rank& rank : ranks) must(runtime().synchronize(rank.stream));
  std::vector<std::uint32_t> expected(2 * count, 1);
  std::fill_n(expected.begin(), count, 1u << (2 * turns));
  EXPECT_EQ(numbers_of(memory, 2 * count, ranks[0].stream), expected);
}

TEST(Programs, EndWhileTheyWaitOnceTheyAreStopped) {
  Rank rank;
  const std::vector<std::uint64_t*> words = {rank.words(), rank.words()};
  const Memory memory(runtime(), Allocation::device, 64);
  const Memory pinned(runtime(), Allocation::pinned, 4);
  std::atomic_ref stop(*pinned.as<std::uint32_t>());
  stop = 0;
  const std::vector<std::uint32_t> ones(16, 1);
  must(runtime().copy(rank.stream, memory.bytes(), ones.data(), 64));
  const std::array<const void*, 2> sources = {memory.bytes(), memory.bytes()};
  void* const destination = memory.bytes();
  BlockProgram program;
  must(program.move(sum_of(sources, destination, 8)));
  program.end_step();
  program.wait(1, 1);  // nobody is there
  must(program.move(sum_of(sources, destination, 16)));
  program.end_step();
  rank.run(0, words, program, pinned.as<std::uint32_t>());
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_FALSE(must(runtime().is_done(rank.stream)));
  stop = 1;
  must(runtime().synchronize(rank.stream));
  const std::vector<std::uint32_t> got = numbers_of(memory, 16, rank.stream);
  EXPECT_LE(got[0], 2u);
  EXPECT_EQ(got[15], 1u) << "it has gone on";
}

template <class T>
class ProgramTest : public ::testing::Test {};
TYPED_TEST_SUITE(ProgramTest, AllTypes);

// Which are those of the processor: see tests/device/kernels.
TYPED_TEST(ProgramTest, MakesTheBitsOfAReduction) {
  constexpr std::size_t count = 1000;
  constexpr std::size_t stride = 16 * 1024;
  constexpr DType dtype = dtype_of<TypeParam>::value;
  Rank rank;
  const std::vector<std::uint64_t*> words = {rank.words()};
  const Memory memory(runtime(), Allocation::device, 5 * stride);
  std::vector<std::byte> host(5 * stride);
  for (std::size_t i = 0; i < host.size(); ++i) host[i] = static_cast<std::byte>(splitmix(i));
  for (int number = 0; number < op_count; ++number) {
    const auto op = static_cast<Op>(number);
    if (!is_defined(op, dtype)) continue;
    // Vectors with a head and a tail, elements, bytes.
    for (const std::size_t shift : {std::size_t{0}, sizeof(TypeParam), std::size_t{1}}) {
      must(runtime().copy(rank.stream, memory.bytes(), host.data(), host.size()));
      std::vector<const void*> sources;
      for (std::size_t s = 0; s < 3; ++s) {
        sources.push_back(memory.bytes() + s * stride + sizeof(TypeParam) + s * shift);
      }
      std::array<void*, 2> destinations;
      for (std::size_t d = 0; d < 2; ++d) {
        destinations[d] = memory.bytes() + (3 + d) * stride + sizeof(TypeParam);
      }
      DeviceReduction reduction{.dtype = dtype,
                                .op = op,
                                .sources = sources,
                                .destinations = std::span(destinations).first(1),
                                .count = count,
                                .divisor = 3};
      must(runtime().reduce(rank.stream, reduction));
      reduction.destinations = std::span(destinations).last(1);
      BlockProgram program;
      must(program.move(reduction));
      program.end_step();
      rank.run(0, words, program, nullptr, dtype, op);
      std::vector<std::byte> got(2 * stride);
      must(runtime().copy(rank.stream, got.data(), memory.bytes() + 3 * stride, got.size()));
      must(runtime().synchronize(rank.stream));
      const std::byte* const one = got.data() + sizeof(TypeParam);
      EXPECT_TRUE(std::equal(one, one + count * sizeof(TypeParam), one + stride))
          << name(op) << " of " << name(dtype) << ", shifted by " << shift;
      EXPECT_TRUE(std::equal(host.end() - 1000, host.end(), got.end() - 1000));
    }
  }
}

// What two ranks have, in packets.
TYPED_TEST(ProgramTest, PacketsMakeTheBitsOfAReduction) {
  constexpr std::size_t count = 101;
  constexpr std::size_t stride = 4096;
  constexpr DType dtype = dtype_of<TypeParam>::value;
  std::array<Rank, 2> ranks;
  const Memory memory(runtime(), Allocation::device, 5 * stride);
  const Memory boxes(runtime(), Allocation::device, 2 * stride);
  std::vector<std::byte> host(5 * stride);
  for (std::size_t i = 0; i < host.size(); ++i) host[i] = static_cast<std::byte>(splitmix(i));
  const std::vector<std::byte> zeros(2 * stride);
  must(runtime().copy(ranks[0].stream, boxes.bytes(), zeros.data(), zeros.size()));
  must(runtime().synchronize(ranks[0].stream));
  std::uint32_t flag = 0;
  for (int number = 0; number < op_count; ++number) {
    const auto op = static_cast<Op>(number);
    if (!is_defined(op, dtype)) continue;
    for (const std::size_t shift : {std::size_t{0}, sizeof(TypeParam), std::size_t{1}}) {
      must(runtime().copy(ranks[0].stream, memory.bytes(), host.data(), host.size()));
      must(runtime().synchronize(ranks[0].stream));
      std::vector<const void*> sources;
      std::array<void*, 3> destinations;
      for (std::size_t s = 0; s < 2; ++s) sources.push_back(memory.bytes() + s * stride + shift);
      for (std::size_t d = 0; d < 3; ++d) {
        destinations[d] = memory.bytes() + (2 + d) * stride + shift;
      }
      ++flag;
      for (std::size_t r = 0; r < 2; ++r) {
        std::array<const void*, 2> sends = {sources[r], sources[r]};
        sends[r] = nullptr;
        auto* const mine = reinterpret_cast<std::uint64_t*>(boxes.bytes() + r * stride);
        auto* const theirs = reinterpret_cast<std::uint64_t*>(boxes.bytes() + (1 - r) * stride);
        const std::array<std::uint64_t*, 2> outboxes = {theirs, theirs};
        std::array<const std::uint64_t*, 2> inboxes = {mine, mine};
        inboxes[r] = nullptr;
        must(runtime().exchange(ranks[r].stream, {.dtype = dtype,
                                                  .op = op,
                                                  .folds = true,
                                                  .sends = sends,
                                                  .outboxes = outboxes,
                                                  .inboxes = inboxes,
                                                  .own = sources[r],
                                                  .receives = std::span(destinations).subspan(r, 1),
                                                  .bytes = count * sizeof(TypeParam),
                                                  .divisor = 3,
                                                  .rank = static_cast<int>(r),
                                                  .flag = flag,
                                                  .most_blocks = 2}));
      }
      must(runtime().synchronize(ranks[1].stream));
      must(runtime().reduce(ranks[0].stream, {.dtype = dtype,
                                              .op = op,
                                              .sources = sources,
                                              .destinations = std::span(destinations).last(1),
                                              .count = count,
                                              .divisor = 3}));
      std::vector<std::byte> got(3 * stride);
      must(runtime().copy(ranks[0].stream, got.data(), memory.bytes() + 2 * stride, got.size()));
      must(runtime().synchronize(ranks[0].stream));
      const std::byte* const sum = got.data() + 2 * stride + shift;
      for (std::size_t r = 0; r < 2; ++r) {
        const std::byte* const own = got.data() + r * stride;
        const std::size_t end = shift + count * sizeof(TypeParam);
        EXPECT_TRUE(std::equal(own + shift, own + end, sum))
            << name(op) << " of " << name(dtype) << ", shifted by " << shift;
        EXPECT_TRUE(std::equal(own + end, own + stride, host.data() + (2 + r) * stride + end));
      }
    }
  }
}

}  // namespace

std::vector<Role*> roles() {
  return {};
}

}  // namespace rondo::test
