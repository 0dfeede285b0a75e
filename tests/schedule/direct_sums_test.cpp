#include "schedule/direct_sums.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "schedule/builder.hpp"

namespace rondo {
namespace {

constexpr Algorithm any = Algorithm::recursive_doubling;
const Plan plan{any, Collective::allreduce, 2, 0, 2};
const Shape shape{.blocks = 1, .segments = 2};

std::ptrdiff_t count_direct_sums(const Program& program) {
  const std::vector<bool> found = find_direct_sums(program);
  return std::count(found.begin(), found.end(), true);
}

std::ptrdiff_t count_in(Algorithm algorithm, int ranks) {
  return count_direct_sums(
      make_program({algorithm, Collective::allreduce, ranks, 0, 2}, 0).value());
}

// send in[0], recv scratch[0] + in[0]; what follows is the test's.
struct Sum {
  Sum() {
    build.send(0, 1, 0, in(0));
    build.recv_reduce(1, 1, 0, in(0), place);
  }
  std::ptrdiff_t count() { return count_direct_sums(std::move(build).finish()); }

  ProgramBuilder build{plan, 0, shape};
  Slice place = build.new_scratch(1);
};

TEST(DirectSums, TwoRanksHaveOneWhenTheyExchangeAll) {
  const Program program = make_program(plan, 0).value();
  const std::vector<bool> found = find_direct_sums(program);
  ASSERT_EQ(found.size(), 3u);
  EXPECT_TRUE(found[1]);
  EXPECT_EQ(program.steps[1].op, StepOp::recv);
  EXPECT_EQ(count_direct_sums(program), 1);
}

TEST(DirectSums, WhereThereAreNoneNothingIsFound) {
  EXPECT_TRUE(
      find_direct_sums(make_program({any, Collective::allreduce, 4, 0, 2}, 0).value()).empty());
  EXPECT_EQ(count_in(Algorithm::one_shot, 2), 0);
  EXPECT_EQ(count_in(Algorithm::ring, 2), 0);
  EXPECT_EQ(count_in(Algorithm::circulant, 5), 0);
}

TEST(DirectSums, ACopyByTheSameLaneTakesItElsewhere) {
  Sum sum;
  sum.build.copy(1, sum.place, out(0));
  EXPECT_EQ(sum.count(), 1);
}

TEST(DirectSums, ASumThatOthersReadNeedsItsPlace) {
  Sum sum;
  sum.build.copy(1, sum.place, out(0));
  sum.build.send(0, 1, 0, sum.place);
  EXPECT_EQ(sum.count(), 0);
}

TEST(DirectSums, SoDoesAPlaceThatIsWrittenTwice) {
  Sum sum;
  sum.build.copy(1, sum.place, out(0));
  sum.build.recv(1, 1, 0, sum.place, in(0));
  EXPECT_EQ(sum.count(), 0);
}

TEST(DirectSums, AnotherLaneCopiesInItsOwnTime) {
  Sum sum;
  sum.build.copy(2, sum.place, out(0));
  EXPECT_EQ(sum.count(), 0);
}

TEST(DirectSums, SoDoesALaterStep) {
  Sum sum;
  sum.build.recv(1, 1, 0, out(1));
  sum.build.copy(1, sum.place, out(0));
  EXPECT_EQ(sum.count(), 0);
}

}  // namespace
}  // namespace rondo
