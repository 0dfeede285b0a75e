// Buffers that come in chunks, as late as can be: the next ones come when nobody can go on without.
// Then what has gone by which time shows how much of the copying the network's work hides.

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <limits>
#include <numeric>

#include "sim/simulation.hpp"

namespace rondo::sim {
namespace {

using A = Algorithm;
using C = Collective;

/// Of a rank: how many chunks of the input had come when it posted its first message, and when the
/// first chunk of its result was taken.
struct Overlap {
  std::uint32_t chunks_in = 0;
  std::uint32_t at_first_message = 0;
  std::uint32_t at_first_result = 0;
};

class Member {
 public:
  Member(const Task& task, const Program& program, Network& network)
      : buffers_(task, program.rank),
        sized_(program, {task.count, task.dtype, task.op, task.tile_bytes}),
        far_side_(buffers_, sized_, task.chunk_bytes, Fault::none) {
    Transport& transport = network.transport(program.rank);
    EXPECT_TRUE(transport.begin(1, Call{}, {}).ok());
    crossing_.start(sized_, far_side_.order(), far_side_);
    executor_.start(sized_, buffers_.in(), buffers_.out(), transport, &crossing_);
    overlap_.chunks_in = far_side_.order().in().size();
  }

  bool advance() {
    const bool is_done = executor_.advance();
    const std::uint32_t given = far_side_.given().value();
    if (overlap_.at_first_message == 0 && executor_.progress() > 0) {
      overlap_.at_first_message = given;
    }
    if (overlap_.at_first_result == 0 && far_side_.taken() > 0) overlap_.at_first_result = given;
    return is_done;
  }
  bool give() {
    if (!far_side_.awaits_input()) return false;
    far_side_.give();
    return true;
  }
  const Overlap& overlap() const { return overlap_; }
  void check() {
    far_side_.give_rest();
    EXPECT_EQ(buffers_.check(), std::nullopt);
    far_side_.take_back(std::nullopt);
    EXPECT_EQ(far_side_.check(), std::nullopt);
  }

 private:
  Buffers buffers_;
  const SizedProgram sized_;
  FarSide far_side_;
  Crossing crossing_;
  Executor executor_;
  Overlap overlap_;
};

std::vector<Overlap> carry_out(const Task& task) {
  const std::vector<Program> programs = make_schedule(task.plan).value().programs;
  Network network(task.plan.ranks, false, Fault::none);
  std::deque<Member> members;
  for (const Program& program : programs) members.emplace_back(task, program, network);
  for (bool finished = false; !finished;) {
    finished = true;
    for (Member& member : members) finished = member.advance() && finished;
    const std::vector<Route> movable = network.movable();
    for (const Route& route : movable) {
      network.move(route, std::numeric_limits<std::size_t>::max());
    }
    if (finished || !movable.empty()) continue;
    bool gave = false;
    for (Member& member : members) gave |= member.give();
    if (!gave) {
      ADD_FAILURE() << describe(task) << ": nothing moves";
      break;
    }
  }
  std::vector<Overlap> overlaps;
  for (Member& member : members) {
    member.check();
    overlaps.push_back(member.overlap());
  }
  return overlaps;
}

Task long_task(const Plan& plan, bool in_place) {
  constexpr std::size_t mebi = std::size_t{1} << 20;
  const std::size_t blocks = has_blocks(plan.collective) ? static_cast<std::size_t>(plan.ranks) : 1;
  return {plan, mebi / blocks, DType::i32, Op::sum, 65536, in_place, mebi / 4};
}

// The vector has 16 chunks, and tiles go through it four at a time, see schedule/window.hpp.
TEST(Chunks, ResultsLeaveLongBeforeAllInputIsThere) {
  for (const Plan& plan : std::vector<Plan>{{A::ring, C::allreduce, 4},
                                            {A::double_tree, C::allreduce, 5},
                                            {A::circulant, C::allreduce, 4},
                                            {A::chain, C::broadcast, 4, 1},
                                            {A::double_tree, C::broadcast, 5},
                                            {A::chain, C::reduce, 4, 2},
                                            {A::chain, C::scan, 4},
                                            {A::ring, C::allgather, 4},
                                            {A::ring, C::reduce_scatter, 4}}) {
    for (const bool in_place : {false, true}) {
      const Task task = long_task(plan, in_place);
      for (const Overlap& overlap : carry_out(task)) {
        if (overlap.chunks_in < 4) continue;  // an own block, or nothing
        EXPECT_LE(overlap.at_first_message, 3u) << describe(task);
        // A ring's last step is the first that makes a result; only windows bring that forward.
        const bool is_late = plan.collective == Collective::reduce_scatter;
        const std::uint32_t most = is_late ? overlap.chunks_in * 13 / 16 : overlap.chunks_in / 2;
        EXPECT_LE(overlap.at_first_result, most) << describe(task);
      }
    }
  }
}

// Each segment is a chunk.
TEST(Chunks, AreReadInTheOrderOfTheProgram) {
  const Plan plan{A::ring, C::allreduce, 4};
  for (int rank = 0; rank < 4; ++rank) {
    const Program program = make_program(plan, rank).value();
    const SizedProgram sized(program, {4000, DType::i32, Op::sum, 0});
    const ChunkOrder order(sized, {16000, 16000}, {4000, 4000});
    ASSERT_EQ(order.in().size(), 4u);
    std::vector<std::uint32_t> places;
    for (std::uint32_t i = 1; i <= 4; ++i) places.push_back(order.in().place(i));
    // The segment it sends first, and then those that come, from the one before it on.
    const std::uint32_t first = program.lane(0).front().source_segment;
    for (std::uint32_t i = 0; i < 4; ++i) EXPECT_EQ(places[i], (first + 4 - i) % 4);
    EXPECT_EQ(std::accumulate(order.writes().begin(), order.writes().end(), 0u),
              static_cast<std::uint32_t>(
                  std::count_if(program.steps.begin(), program.steps.end(), [](const Step& step) {
                    return step.has_destination() && step.destination_buffer == Buffer::out;
                  })));
  }
}

TEST(Chunks, KnowWhatMustHaveComeForSomeBytes) {
  Chunks chunks(1000, 300);
  ASSERT_EQ(chunks.size(), 4u);
  EXPECT_EQ(chunks.extent(4).offset, 900u);
  EXPECT_EQ(chunks.extent(4).bytes, 100u);
  chunks.set_order({2, 0, 3});
  ASSERT_EQ(chunks.size(), 3u);
  EXPECT_EQ(chunks.extent(1).offset, 600u);
  const auto needed = [&](std::size_t offset, std::size_t count) {
    return chunks.needed(chunks.places_of({Buffer::in, offset, count}, 4));
  };
  EXPECT_EQ(needed(0, 1), 2u);
  EXPECT_EQ(needed(600, 75), 1u);
  EXPECT_EQ(needed(600, 76), 3u);
  EXPECT_EQ(needed(600, 0), 0u);
  const Chunks nothing(0, 300);
  EXPECT_EQ(nothing.size(), 1u);
  EXPECT_EQ(nothing.extent(1).bytes, 0u);
}

}  // namespace
}  // namespace rondo::sim
