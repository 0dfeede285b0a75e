// Ranks that call gatherv and the like with counts that don't fit together: an error that names
// both ranks and both sizes, on all ranks, between threads and between processes; and ranks
// that don't call at all.

#include <gmock/gmock.h>

#include "api/inputs.hpp"

namespace rondo {
namespace {

using std::chrono::milliseconds;
using testing::error_of;
using testing::guard;
using ::testing::HasSubstr;
using testing::on_processes;
using testing::on_world;
using testing::Values;
using Numbers = std::vector<std::size_t>;

/// All ranks get Error{mismatch} with these words: at once, or, those whose part is done, by their
/// next calls.
void expect_mismatch(const std::function<void(Communicator&)>& call,
                     const std::vector<const char*>& words) {
  const auto body = [&](Communicator& comm) {
    const Error error = error_of([&] {
      call(comm);
      comm.barrier();
      comm.barrier();
    });
    EXPECT_EQ(error.code(), ErrorCode::mismatch) << error.what();
    for (const char* word : words) EXPECT_THAT(error.text(), HasSubstr(word));
  };
  on_world(3, {}, body);
  on_processes(3, {}, body);
}

TEST(Disagreements, Gatherv) {
  for (const std::size_t sent : {5u, 7u, 0u}) {
    const std::string words = "rank 1 sends rank 0 " + std::to_string(sent) + " f32";
    expect_mismatch(
        [sent](Communicator& comm) {
          const Numbers counts = {2, 6, 4};
          const std::size_t own = comm.rank() == 1 ? sent : counts[std::size_t(comm.rank())];
          Values all(12, guard);
          comm.gatherv(Values(own, 1.0f), all, 0, counts);
        },
        {words.c_str(), "rank 0 expects 6 f32", "gatherv of f32, root 0"});
  }
}

TEST(Disagreements, Scatterv) {
  expect_mismatch(
      [](Communicator& comm) {
        const Numbers counts = {2, 6, 4};
        Values own(comm.rank() == 2 ? 3 : counts[std::size_t(comm.rank())], guard);
        comm.scatterv(Values(12, 1.0f), own, 0, counts);
      },
      {"rank 0 sends rank 2 4 f32", "rank 2 expects 3 f32", "scatterv of f32, root 0"});
}

TEST(Disagreements, Alltoallv) {
  expect_mismatch(
      [](Communicator& comm) {
        Numbers sent = {2, 2, 2};
        if (comm.rank() == 1) sent[2] = 5;
        const Numbers got = {2, 2, 2};
        Values all(6, guard);
        comm.alltoallv(Values(sent[0] + sent[1] + sent[2], 1.0f), {sent}, all, {got});
      },
      {"rank 1 sends rank 2 5 f32", "rank 2 expects 2 f32"});
}

TEST(Disagreements, CountsThatAllMustKnow) {
  expect_mismatch(
      [](Communicator& comm) {
        const Numbers counts = comm.rank() == 2 ? Numbers{2, 3, 4} : Numbers{3, 2, 4};
        Values all(9, guard);
        comm.allgatherv(Values(counts[std::size_t(comm.rank())], 1.0f), all, counts);
      },
      {"allgatherv of 9 f32", "they gave different counts of blocks"});
  expect_mismatch(
      [](Communicator& comm) {
        const Numbers counts = comm.rank() == 2 ? Numbers{2, 3, 4} : Numbers{3, 3, 4};
        Values own(counts[std::size_t(comm.rank())], guard);
        comm.reduce_scatterv(Values(comm.rank() == 2 ? 9 : 10, 1.0f), own, counts);
      },
      {"reduce_scatterv of 9 f32", "reduce_scatterv of 10 f32"});
  expect_mismatch(
      [](Communicator& comm) {
        const Numbers counts = {3, 3, 3};
        const Numbers places = {0, 3, 6};
        Values all(9, guard);
        comm.allgatherv(Values(3, 1.0f), all, counts, comm.rank() == 1 ? places : Numbers());
      },
      {"they gave different counts of blocks"});
}

TEST(Disagreements, EvenAndUnevenCallsDiffer) {
  expect_mismatch(
      [](Communicator& comm) {
        const Numbers counts = {3, 3, 3};
        Values all(9, guard);
        if (comm.rank() == 1) {
          comm.gather(Values(3, 1.0f), all, 0);
        } else {
          comm.gatherv(Values(3, 1.0f), all, 0, counts);
        }
      },
      {"rank 1 called gather of 3 f32, root 0", "gatherv of f32, root 0"});
}

TEST(Disagreements, ARankThatNeverCallsIsNamed) {
  on_world(3, {}, [](Communicator& comm) {
    comm.barrier();
    if (comm.rank() == 1) return;  // keeps its communicator, but does not call
    comm.set_timeout(milliseconds(300));
    const Numbers counts = {2, 6, 4};
    Values all(12, guard);
    const Error error = error_of([&] {
      comm.gatherv(Values(counts[std::size_t(comm.rank())], 1.0f), all, 0, counts);
      comm.barrier();
    });
    EXPECT_EQ(error.code(), ErrorCode::timeout) << error.what();
    EXPECT_EQ(error.peer(), 1) << error.what();
  });
}

}  // namespace
}  // namespace rondo
