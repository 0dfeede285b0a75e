// Programs as the thread blocks of kernels carry them out, in any order of the blocks.

#include "device/kernels/block_program.hpp"

#include <gtest/gtest.h>

#include <memory>

#include "base/hash.hpp"
#include "base/text.hpp"
#include "execute/stream_world.hpp"

namespace rondo::test {
namespace {

// The threads of a block, one after the other.
struct OneByOne {
  static constexpr std::size_t threads = 3;

  template <class Condition>
  bool all(std::size_t count, const Condition& condition) const {
    for (std::size_t i = 0; i < count; ++i) {
      if (!condition(i)) return false;
    }
    return true;
  }
  template <class Work>
  void each(const Work& work) const {
    for (std::size_t thread = 0; thread < threads; ++thread) work(thread, threads);
  }
};

// Of one rank, while it carries out a program.
struct Kernel {
  std::vector<std::byte> memory;
  DType dtype;
  ProgramArguments arguments;
  std::vector<BlockState> blocks;
};

struct Block {
  std::size_t rank = 0;
  std::size_t slice = 0;
};

class Kernels {
 public:
  Kernels(World& world, std::size_t slices, bool meets, std::uint64_t before = 0)
      : slices_(slices) {
    const std::size_t ranks = world.size();
    words_.assign(ranks, std::vector<std::uint64_t>(ranks * slices, before));
    for (auto& words : words_) words_of_.push_back(words.data());
    for (std::size_t r = 0; r < ranks; ++r) start(world, r, meets, before);
  }

  std::vector<Block> blocks() const {
    std::vector<Block> all;
    for (std::size_t rank = 0; rank < kernels_.size(); ++rank) {
      for (std::size_t slice = 0; slice < slices_; ++slice) all.push_back({rank, slice});
    }
    return all;
  }
  Progress advance(Block block) {
    Kernel& kernel = *kernels_[block.rank];
    const auto slice = static_cast<std::uint32_t>(block.slice);
    BlockState& state = kernel.blocks[block.slice];
    // Where nothing is folded, bytes are copied.
    if (kernel.dtype == DType::u8) {
      return rondo::advance<std::uint8_t, Op::sum>(kernel.arguments, slice, state, OneByOne());
    }
    return rondo::advance<std::uint32_t, Op::sum>(kernel.arguments, slice, state, OneByOne());
  }
  bool is_over() const {
    return std::all_of(kernels_.begin(), kernels_.end(), [](const auto& kernel) {
      return std::all_of(
          kernel->blocks.begin(), kernel->blocks.end(),
          [&](const BlockState& block) { return block.step == kernel->arguments.counts.steps; });
    });
  }
  void stop() { stop_ = 1; }

 private:
  void start(World& world, std::size_t rank, bool meets, std::uint64_t before) {
    const Result<BlockEncoding> made = encode(world.program(rank), DType::u32, Op::sum,
                                              world.bases(), static_cast<int>(rank), meets);
    if (!made) throw made.error();
    EXPECT_TRUE(steps_ == 0 || steps_ == made.value().steps);
    steps_ = made.value().steps;
    auto kernel = std::make_unique<Kernel>();
    kernel->memory = made.value().program.bytes();
    const std::size_t most =
        encoded_bytes_most(world.program(rank), static_cast<int>(world.size()));
    EXPECT_LE(kernel->memory.size(), most);
    const BlockCounts counts = made.value().program.counts();
    const Result<ProgramArguments> arguments =
        arguments_of(DeviceProgram{.dtype = DType::u32,
                                   .op = Op::sum,
                                   .memory = kernel->memory.data(),
                                   .counts = &counts,
                                   .words = words_of_,
                                   .rank = static_cast<int>(rank),
                                   .slices = static_cast<int>(slices_),
                                   .piece_bytes = 16,
                                   .before = before,
                                   .stop = &stop_});
    if (!arguments) throw arguments.error();
    kernel->arguments = arguments.value();
    kernel->dtype = made.value().dtype;
    kernel->blocks.resize(slices_);
    kernels_.push_back(std::move(kernel));
  }

  const std::size_t slices_;
  std::vector<std::vector<std::uint64_t>> words_;
  std::vector<std::uint64_t*> words_of_;
  std::vector<std::unique_ptr<Kernel>> kernels_;
  std::uint32_t steps_ = 0;
  std::uint32_t stop_ = 0;
};

// In a random order, a step at a time or each block as far as it gets. False when blocks wait for
// each other.
bool run(Kernels& kernels, std::uint64_t seed, bool greedy) {
  std::vector<Block> left = kernels.blocks();
  std::uint64_t in_vain = 0;
  for (std::uint64_t turn = 0; !left.empty(); ++turn) {
    if (in_vain > 4000 * left.size()) return false;
    const std::size_t index = splitmix(seed * 1'000'003 + turn) % left.size();
    Progress progress = kernels.advance(left[index]);
    in_vain = progress == Progress::waiting ? in_vain + 1 : 0;
    while (greedy && progress == Progress::moved) progress = kernels.advance(left[index]);
    if (progress == Progress::over) left.erase(left.begin() + static_cast<std::ptrdiff_t>(index));
  }
  return true;
}

struct Shape {
  std::size_t slices;
  bool meets;
  bool greedy;
};

void check_random_orders(const Plan& plan, std::size_t count, bool in_place) {
  SCOPED_TRACE(concat(name(plan.algorithm), " ", name(plan.collective), " of ", count, " among ",
                      plan.ranks, in_place ? " in place" : "", ", root ", plan.root));
  std::uint64_t seed = count;
  for (const Shape& shape :
       {Shape{1, false, false}, Shape{3, true, false}, Shape{2, false, true}}) {
    World world(plan, count, in_place);
    Kernels kernels(world, shape.slices, shape.meets, 0xfffffffe);
    ASSERT_TRUE(run(kernels, ++seed, shape.greedy)) << "blocks wait for each other";
    world.check();
  }
}

TEST(BlockProgram, GivesTheResultOfEveryAlgorithmInRandomOrders) {
  int tried = 0;
  for (const int ranks : {1, 2, 3, 4, 5, 8}) {
    for (const Plan& plan : plans_of_devices(ranks)) {
      for (const std::size_t count : {1, 3, 40}) {
        for (const bool in_place : {false, true}) check_random_orders(plan, count, in_place);
      }
      ++tried;
      if (testing::Test::HasFailure()) return;
    }
  }
  EXPECT_GT(tried, 100);
}

// Every order that blocks can take: each is carried out from the beginning.
class AllOrders {
 public:
  AllOrders(const Plan& plan, std::size_t slices) : plan_(plan), slices_(slices) {}

  void explore() {
    World world(plan_, 12, true);
    Kernels kernels(world, slices_, false);
    for (const Block& block : order_) kernels.advance(block);
    if (kernels.is_over()) {
      ++found;
      return world.check();
    }
    bool has_moved = false;
    for (const Block& block : kernels.blocks()) {
      if (kernels_move(block)) {
        has_moved = true;
        order_.push_back(block);
        explore();
        order_.pop_back();
      }
      if (testing::Test::HasFailure()) return;
    }
    ASSERT_TRUE(has_moved) << "blocks wait for each other";
  }

  int found = 0;

 private:
  bool kernels_move(const Block& block) {
    World world(plan_, 12, true);
    Kernels kernels(world, slices_, false);
    for (const Block& each : order_) kernels.advance(each);
    return kernels.advance(block) == Progress::moved;
  }

  const Plan plan_;
  const std::size_t slices_;
  std::vector<Block> order_;
};

TEST(BlockProgram, GivesTheResultInAllOrdersOfSmallWorlds) {
  int found = 0;
  for (const int ranks : {2, 3}) {
    for (const Plan& plan : plans_of_devices(ranks)) {
      World world(plan, 12, true);
      std::size_t steps = 0;
      for (std::size_t r = 0; r < world.size(); ++r) steps += world.program(r).steps.size();
      for (const std::size_t slices : {1, 2}) {
        if (steps * slices > 6) continue;
        SCOPED_TRACE(concat(name(plan.algorithm), " ", name(plan.collective), " among ", ranks));
        AllOrders orders(plan, slices);
        orders.explore();
        found += orders.found;
        if (testing::Test::HasFailure()) return;
      }
    }
  }
  EXPECT_GT(found, 200);
}

TEST(BlockProgram, EndsWhileItWaitsOnceItIsStopped) {
  World world({Algorithm::ring, Collective::allreduce, 3}, 40, true);
  Kernels kernels(world, 1, true);
  while (kernels.advance({0, 0}) != Progress::waiting) {
  }
  kernels.stop();
  std::uint32_t turns = 0;
  while (kernels.advance({0, 0}) == Progress::waiting) ++turns;
  EXPECT_LE(turns, rounds_between_looks);
  EXPECT_EQ(kernels.advance({0, 0}), Progress::over);
  EXPECT_EQ(kernels.advance({1, 0}), Progress::over) << "it has begun nevertheless";
}

TEST(BlockProgram, SaysWhatNoKernelCanCarryOut) {
  const BlockCounts counts;
  std::vector<std::uint64_t*> words(65, nullptr);
  DeviceProgram program{.counts = &counts, .words = words};
  EXPECT_EQ(arguments_of(program).error().code(), ErrorCode::invalid_argument);
  program.words = std::span(words).first(64);
  EXPECT_TRUE(arguments_of(program).ok());
  program.piece_bytes = 24;
  EXPECT_EQ(arguments_of(program).error().code(), ErrorCode::invalid_argument);
  program.piece_bytes = 32;
  program.slices = 0;
  EXPECT_EQ(arguments_of(program).error().code(), ErrorCode::invalid_argument);
  program.slices = 1;
  program.op = Op::bxor;
  EXPECT_EQ(arguments_of(program).error().code(), ErrorCode::unsupported);
}

}  // namespace
}  // namespace rondo::test
