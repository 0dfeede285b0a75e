// rondo::from_mpi() on all ranks of mpirun, at the thread level that RONDO_TEST_THREADS names.

#include "rondo/mpi.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <numeric>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "harness/world.hpp"

namespace rondo {
namespace {

int world_rank = 0;
int world_size = 1;
int level = MPI_THREAD_SINGLE;

using testing::error_of;

std::vector<int> inputs(int rank, std::size_t count) {
  std::vector<int> values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = static_cast<int>(i) * 3 + rank;
  return values;
}

void expect_sums(Communicator& comm, std::size_t count) {
  std::vector<int> values = inputs(comm.rank(), count);
  comm.allreduce(values);
  const int ranks = comm.size();
  for (std::size_t i = 0; i < count; ++i) {
    ASSERT_EQ(values[i], static_cast<int>(i) * 3 * ranks + ranks * (ranks - 1) / 2) << i;
  }
}

Communicator over_messages() {
  return from_mpi(MPI_COMM_WORLD, {.transport = "mpi"});
}

TEST(FromMpi, TheRanksOfACommunicatorAreAWorld) {
  Communicator comm = from_mpi(MPI_COMM_WORLD);
  EXPECT_EQ(comm.rank(), world_rank);
  EXPECT_EQ(comm.size(), world_size);
  EXPECT_EQ(comm.transport(), world_size == 1 ? "inproc" : "shm");
  expect_sums(comm, 1000);
}

TEST(FromMpi, MessagesOfMpiCarryTheData) {
  Communicator comm = over_messages();
  EXPECT_EQ(comm.transport(), world_size == 1 ? "inproc" : "mpi");
  for (const std::size_t count : {0, 1, 17, 1000, 16384, 16385, 300'000}) {
    expect_sums(comm, count);
  }
  std::vector<int> all(static_cast<std::size_t>(world_size) * 5);
  comm.allgather(inputs(world_rank, 5), all);
  for (int rank = 0; rank < world_size; ++rank) {
    const auto place = all.begin() + 5 * rank;
    EXPECT_EQ(std::vector<int>(place, place + 5), inputs(rank, 5));
  }
}

TEST(FromMpi, RanksAreThoseOfTheCommunicatorAndNotOfTheJob) {
  MPI_Comm reversed;
  MPI_Comm_split(MPI_COMM_WORLD, 0, -world_rank, &reversed);
  Communicator comm = from_mpi(reversed, {.transport = "mpi"});
  MPI_Comm_free(&reversed);  // rondo has a duplicate
  EXPECT_EQ(comm.rank(), world_size - 1 - world_rank);
  std::vector<int> first = {world_rank};
  comm.broadcast(first, 0);
  EXPECT_EQ(first[0], world_size - 1);
}

TEST(FromMpi, PartsOfAWorldUseTheSameMessages) {
  Communicator comm = over_messages();
  Communicator half = comm.split(comm.rank() % 2, 0);
  expect_sums(half, 40'000);
  std::vector<int> everybody(static_cast<std::size_t>(world_size));
  std::iota(everybody.rbegin(), everybody.rend(), 0);
  for (std::uint64_t context = 0; context < 20; ++context) {
    Communicator group = comm.subgroup(everybody, context);
    expect_sums(group, 100);
  }
  expect_sums(comm, 10);
}

TEST(FromMpi, CallsOfMpiAndOfRondoAlternate) {
  Communicator comm = over_messages();
  for (int round = 0; round < 50; ++round) {
    int sum = 0;
    MPI_Allreduce(&world_rank, &sum, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    EXPECT_EQ(comm.allreduce_value(world_rank), sum);
  }
}

TEST(FromMpi, NonblockingCallsNeedTheHighestLevel) {
  Communicator comm = over_messages();
  std::vector<int> values = {1};
  if (world_size == 1 || level == MPI_THREAD_MULTIPLE) {
    Work work = comm.iallreduce(values);
    work.wait();
    EXPECT_EQ(values[0], world_size);
    return;
  }
  const Error error = error_of([&] { comm.iallreduce(values).wait(); });
  EXPECT_EQ(error.code(), ErrorCode::unsupported);
  EXPECT_NE(error.text().find("MPI_THREAD_MULTIPLE"), std::string::npos) << error.text();
  expect_sums(comm, 10);  // it goes on as before
}

TEST(FromMpi, OtherThreadsNeedAHigherLevel) {
  Communicator comm = over_messages();
  std::optional<Error> error;
  std::thread([&] {
    try {
      comm.barrier();
    } catch (const Error& thrown) {
      error = thrown;
    }
  }).join();
  const bool is_permitted = world_size == 1 || level >= MPI_THREAD_SERIALIZED;
  EXPECT_EQ(error.has_value(), !is_permitted);
  if (!error) return;
  EXPECT_EQ(error->code(), ErrorCode::unsupported);
  EXPECT_NE(error->text().find("only the main thread"), std::string::npos) << error->text();
}

TEST(FromMpi, WhatHasNoRanksOfOneGroupIsRefused) {
  EXPECT_EQ(error_of([] { (void)from_mpi(MPI_COMM_NULL); }).code(), ErrorCode::invalid_argument);
  if (world_size < 2) return;
  MPI_Comm half;
  MPI_Comm between;
  const int side = world_rank % 2;
  MPI_Comm_split(MPI_COMM_WORLD, side, world_rank, &half);
  MPI_Intercomm_create(half, 0, MPI_COMM_WORLD, 1 - side, 7, &between);
  const Error error = error_of([&] { (void)from_mpi(between); });
  EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
  EXPECT_NE(error.text().find("intercommunicator"), std::string::npos) << error.text();
  MPI_Comm_free(&between);
  MPI_Comm_free(&half);
}

TEST(FromMpi, AWorldOfOneNeedsNoOthers) {
  Communicator comm = from_mpi(MPI_COMM_SELF, {.transport = "mpi"});
  EXPECT_EQ(comm.size(), 1);
  expect_sums(comm, 10);
}

TEST(FromMpi, DifferentOptionsAreNamed) {
  if (world_size < 2) return;
  const Options options = {.radix = world_rank == 1 ? 3 : 4};
  const Error error = error_of([&] { (void)from_mpi(MPI_COMM_WORLD, options); });
  EXPECT_EQ(error.code(), ErrorCode::join_failed);
  EXPECT_NE(error.text().find("option radix differs: rank 1 has 3"), std::string::npos)
      << error.text();
}

// A tag for each link of each communicator: they must not run out.
TEST(FromMpi, ManyCommunicatorsCanFollowEachOther) {
  Communicator comm = over_messages();
  for (int i = 0; i < 100; ++i) {
    Communicator copy = comm.duplicate();
    EXPECT_EQ(copy.allreduce_value(1), world_size);
  }
}

int wanted_level() {
  const char* const wanted = std::getenv("RONDO_TEST_THREADS");
  const std::string_view text = wanted == nullptr ? "multiple" : wanted;
  if (text == "single") return MPI_THREAD_SINGLE;
  if (text == "funneled") return MPI_THREAD_FUNNELED;
  return text == "serialized" ? MPI_THREAD_SERIALIZED : MPI_THREAD_MULTIPLE;
}

// Where the job asks for a world before MPI begins.
void check_before_mpi() {
  if (std::getenv("RONDO_STORE") == nullptr) return;
  Communicator comm = Communicator::from_env();
  if (comm.allreduce_value(1) == comm.size() && comm.size() > 1) return;
  std::cerr << "no world before MPI\n";
  std::abort();
}

// A communicator that outlives MPI: a call says so, and its end touches nothing.
int check_after_mpi(Communicator& comm) {
  if (comm.size() == 1) return 0;
  try {
    comm.barrier();
  } catch (const Error& error) {
    if (error.text().find("MPI_Finalize was called") != std::string::npos) return 0;
    std::cerr << "unexpected: " << error.text() << "\n";
  }
  return 1;
}

}  // namespace
}  // namespace rondo

int main(int argc, char** argv) {
  rondo::check_before_mpi();
  MPI_Init_thread(&argc, &argv, rondo::wanted_level(), &rondo::level);
  MPI_Comm_rank(MPI_COMM_WORLD, &rondo::world_rank);
  MPI_Comm_size(MPI_COMM_WORLD, &rondo::world_size);
  ::testing::InitGoogleTest(&argc, argv);
  const int code = RUN_ALL_TESTS();
  rondo::Communicator last = rondo::over_messages();
  MPI_Finalize();
  return code != 0 ? code : rondo::check_after_mpi(last);
}
