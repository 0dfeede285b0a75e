// The C functions of rondo/cuda.h, among ranks that are threads.

#include "rondo/cuda.h"

#include <gtest/gtest.h>

#include "abi/c_world.hpp"
#include "harness.hpp"

namespace rondo::test {
namespace {

using c_world::on_ranks;

constexpr std::size_t bytes_of_values = c_world::count * sizeof(float);

// Where the values of each rank lie; freed when all ranks have ended.
class Values {
 public:
  explicit Values(int ranks) {
    for (int rank = 0; rank < ranks; ++rank) {
      memory_.push_back(std::make_unique<Memory>(runtime(), Allocation::device, bytes_of_values));
    }
  }
  void* of(int rank) const { return memory_[static_cast<std::size_t>(rank)]->bytes(); }

 private:
  std::vector<std::unique_ptr<Memory>> memory_;
};

rondo_call allreduce_of(void* values) {
  rondo_call call = RONDO_CALL_INIT;
  call.collective = RONDO_ALLREDUCE;
  call.send = call.receive = values;
  call.count = c_world::count;
  call.dtype = RONDO_F32;
  return call;
}

void expect_sum(rondo_comm* comm, void* values) {
  const int rank = rondo_comm_rank(comm);
  const std::vector<float> mine = c_world::inputs(rank);
  const Stream stream(runtime());
  must(runtime().copy(stream, values, mine.data(), bytes_of_values));
  const rondo_call call = allreduce_of(values);
  rondo_work* work = nullptr;
  auto* const native = static_cast<CUstream_st*>(DeviceStream(stream).native);
  ASSERT_EQ(rondo_start_on_stream(comm, &call, native, &work), RONDO_OK) << rondo_last_error(comm);
  std::vector<float> found(c_world::count);
  must(runtime().copy(stream, found.data(), values, bytes_of_values));
  must(runtime().synchronize(stream));
  EXPECT_EQ(found, c_world::sums(rondo_comm_size(comm)));
  EXPECT_EQ(rondo_work_wait(work), RONDO_OK);
  rondo_work_free(work);
}

TEST(CudaInC, CollectivesOnStreams) {
  const Values values(3);
  on_ranks(3, [&](rondo_comm* comm, int rank) { expect_sum(comm, values.of(rank)); });
}

TEST(CudaInC, ConnectedDevicesAndSharedMemory) {
  const Values values(2);
  on_ranks(2, [&](rondo_comm* comm, int rank) {
    std::int32_t connected = -1;
    ASSERT_EQ(rondo_connect_devices(comm, 0, &connected), RONDO_OK) << rondo_last_error(comm);
    std::int32_t shared = -1;
    ASSERT_EQ(rondo_share_memory(comm, values.of(rank), &shared), RONDO_OK);
    EXPECT_LE(shared, connected);
    EXPECT_TRUE(connected == 0 || connected == 1);
    expect_sum(comm, values.of(rank));
    EXPECT_EQ(rondo_unshare_memory(comm, values.of(rank)), RONDO_OK) << rondo_last_error(comm);
    EXPECT_EQ(rondo_barrier(comm), RONDO_OK);
  });
}

TEST(CudaInC, WrongUseIsRefused) {
  rondo_work* work = nullptr;
  std::int32_t answer = 0;
  std::vector<float> host(c_world::count);
  const rondo_call call = allreduce_of(host.data());
  on_ranks(1, [&](rondo_comm* comm, int) {
    EXPECT_EQ(rondo_start_on_stream(nullptr, &call, nullptr, &work), RONDO_INVALID_ARGUMENT);
    EXPECT_EQ(rondo_start_on_stream(comm, nullptr, nullptr, &work), RONDO_INVALID_ARGUMENT);
    EXPECT_EQ(rondo_start_on_stream(comm, &call, nullptr, nullptr), RONDO_INVALID_ARGUMENT);
    EXPECT_EQ(rondo_start_on_stream(comm, &call, nullptr, &work), RONDO_INVALID_ARGUMENT);
    EXPECT_NE(std::string(rondo_last_error(comm)).find("not pinned"), std::string::npos);
    EXPECT_EQ(rondo_connect_devices(nullptr, 0, &answer), RONDO_INVALID_ARGUMENT);
    EXPECT_EQ(rondo_connect_devices(comm, 0, nullptr), RONDO_INVALID_ARGUMENT);
    EXPECT_EQ(rondo_share_memory(comm, host.data(), nullptr), RONDO_INVALID_ARGUMENT);
    EXPECT_EQ(rondo_share_memory(nullptr, host.data(), &answer), RONDO_INVALID_ARGUMENT);
    EXPECT_EQ(rondo_unshare_memory(nullptr, host.data()), RONDO_INVALID_ARGUMENT);
    EXPECT_EQ(rondo_barrier(comm), RONDO_OK);
  });
  EXPECT_EQ(work, nullptr);
}

}  // namespace

std::vector<Role*> roles() {
  return {};
}

}  // namespace rondo::test
