// Collectives from device to device.

#include <gtest/gtest.h>

#include <regex>

#include "base/text.hpp"
#include "ranks.hpp"

namespace rondo::test {
namespace {

// All collectives, of so many elements a block, with buffers that are shared or not.
void check_all(Rank& rank, std::size_t count, bool shared) {
  SCOPED_TRACE(concat(count, " elements", shared ? ", shared" : ""));
  const int size = rank.comm.size();
  const auto blocks = static_cast<std::size_t>(size);
  const int own = rank.number();
  const int tens = 100 * size * (size - 1) / 2;
  const DeviceSpan<int> one = rank.put(counting(count, 100 * own));
  const DeviceSpan<int> other = rank.put(std::vector<int>(count, -1));
  const DeviceSpan<int> many = rank.put(counting(count * blocks, 100 * own));
  const DeviceSpan<int> all = rank.put(std::vector<int>(count * blocks, -1));
  if (shared) {
    for (const DeviceSpan<int>& each : {one, other, many, all}) EXPECT_TRUE(rank.comm.share(each));
  }
  const int waiting = rank.count(&Machine::waiting_calls);
  const auto sum = [&](std::size_t i) { return size * static_cast<int>(i) + tens; };
  CUstream_st* const stream = rank.native();
  const auto expect = [&](const char* what, DeviceSpan<int> span, auto value) {
    const std::vector<int> got = rank.get(span);
    for (std::size_t i = 0; i < got.size(); ++i) {
      ASSERT_EQ(got[i], value(i)) << what << " at rank " << own << ", element " << i;
    }
  };
  std::vector<Work> works;
  works.push_back(rank.comm.allreduce(one, other, Op::sum, stream));
  expect("allreduce", other, sum);
  works.push_back(rank.comm.allgather(one, all, stream));
  expect("allgather", all, [&](std::size_t i) {
    return static_cast<int>(i % count) + 100 * static_cast<int>(i / count);
  });
  works.push_back(rank.comm.reduce_scatter(many, other, Op::sum, stream));
  expect("reduce_scatter", other,
         [&](std::size_t i) { return sum(i + count * static_cast<std::size_t>(own)); });
  works.push_back(rank.comm.alltoall(many, all, stream));
  expect("alltoall", all, [&](std::size_t i) {
    const auto from = i / count;
    return static_cast<int>(i % count + count * static_cast<std::size_t>(own) + 100 * from);
  });
  works.push_back(rank.comm.allreduce(one, Op::max, stream));
  expect("allreduce in place", one,
         [&](std::size_t i) { return static_cast<int>(i) + 100 * (size - 1); });
  rank.write(one, counting(count, 100 * own));
  works.push_back(rank.comm.reduce(one, Op::sum, size - 1, stream));
  if (own == size - 1) expect("reduce", one, sum);
  rank.write(one, counting(count, 100 * own));
  works.push_back(rank.comm.broadcast(one, size - 1, stream));
  expect("broadcast", one, [&](std::size_t i) { return static_cast<int>(i) + 100 * (size - 1); });
  for (Work& work : works) work.wait();
  EXPECT_EQ(rank.count(&Machine::waiting_calls), waiting) << "something waited for the device";
}

TEST(DeviceToDevice, AllCollectives) {
  for (const int ranks : {1, 2, 3, 5}) {
    SCOPED_TRACE(concat(ranks, " ranks"));
    run_connected(ranks, [](Rank& rank) {
      for (const std::size_t count : {1, 7, 1000}) {
        for (const bool shared : {false, true}) check_all(rank, count, shared);
      }
    });
  }
}

// As schedules that have several steps, and wait for each other.
TEST(DeviceToDevice, AllAlgorithmsOnWish) {
  if (launched() != nullptr) GTEST_SKIP() << "the world has been made";
  for (int algorithm = 1; algorithm < algorithm_count; ++algorithm) {
    Options options;
    options.algorithm = static_cast<Algorithm>(algorithm);
    SCOPED_TRACE(name(*options.algorithm));
    run_connected(
        4,
        [](Rank& rank) {
          for (const bool shared : {false, true}) check_all(rank, 1001, shared);
        },
        options);
  }
}

// What is launched for sums of 400 bytes that are not shared.
void expect_launches(const Options& options, int programs, int exchanges) {
  if (!are_emulated()) GTEST_SKIP() << "on emulated devices only";
  run_connected(
      2,
      [&](Rank& rank) {
        const int programs_before = rank.count(&Machine::programs);
        const int exchanges_before = rank.count(&Machine::exchanges);
        const DeviceSpan<int> numbers = rank.put(counting(100, 0));
        rank.comm.allreduce(numbers, Op::sum, rank.native()).wait();
        EXPECT_EQ(rank.count(&Machine::programs) - programs_before, programs);
        EXPECT_EQ(rank.count(&Machine::exchanges) - exchanges_before, exchanges);
        EXPECT_EQ(rank.get(numbers)[99], 198);
      },
      options);
}

TEST(DeviceToDevice, KernelsWaitWhereTheyAreToldTo) {
  expect_launches({.device_order = "kernels", .device_packet_bytes = 0}, 2, 0);
  expect_launches({.device_order = "kernels", .device_packet_bytes = 399}, 2, 0);
}

TEST(DeviceToDevice, FewBytesGoInPackets) {
  expect_launches({.device_order = "kernels", .device_packet_bytes = 400}, 0, 2);
}

TEST(DeviceToDevice, StreamsWaitWhereTheyAreToldTo) {
  expect_launches({.device_order = "streams", .device_packet_bytes = 400}, 0, 0);
}

TEST(DeviceToDevice, StreamsWaitWhereProcessesShareADevice) {
  const int exchanges = are_processes() ? 0 : 2;
  expect_launches({.device_order = "auto", .device_packet_bytes = 400}, 0, exchanges);
}

// Ranks on two devices by turns, with what they have on their own.
TEST(DeviceToDevice, AmongSeveralDevices) {
  if (!has_two_devices()) GTEST_SKIP() << "of two emulated devices";
  run_ranks(3, [](Rank& rank) {
    const int device = rank.number() % 2;
    EXPECT_TRUE(rank.comm.connect_devices(device));
    const DeviceStream stream = must(rank.runtime.create_stream(device));
    void* const memory = must(rank.runtime.allocate(Allocation::device, device, 4000));
    const DeviceSpan<int> numbers(static_cast<int*>(memory), 1000);
    EXPECT_TRUE(rank.comm.share(numbers));
    rank.write(numbers, counting(1000, rank.number()));
    CUstream_st* const native = static_cast<CUstream_st*>(stream.native);
    Work sum = rank.comm.allreduce(numbers, Op::sum, native);
    Work told = rank.comm.broadcast(numbers, 1, native);
    must(rank.runtime.synchronize(stream));
    EXPECT_EQ(rank.get(numbers)[10], 33);
    sum.wait();
    told.wait();
    rank.comm.unshare(numbers);
    must(rank.runtime.destroy_stream(stream));
    must(rank.runtime.deallocate(Allocation::device, memory));
  });
}

TEST(DeviceToDevice, IsLeftWhereDevicesOfAProcessDoNotReachEachOther) {
  if (!has_two_devices() || are_processes()) GTEST_SKIP() << "of two devices of one process";
  Machine& machine = emulated(own_runtime())->machine();
  machine.refuses_peers = true;
  testing::internal::CaptureStderr();
  run_ranks(2, [](Rank& rank) { EXPECT_FALSE(rank.comm.connect_devices(rank.number())); });
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_NE(said.find("not from this device"), std::string::npos) << said;
  machine.refuses_peers = false;
}

// The workspace has 1 MiB here.
TEST(DeviceToDevice, MoreThanTheWorkspaceHolds) {
  run_connected(3, [](Rank& rank) { check_all(rank, 150'000, false); });
}

// One kernel of each rank, where all is in place.
TEST(DeviceToDevice, SharedMemoryIsUsedWhereItIs) {
  Options options;
  options.algorithm = Algorithm::two_shot;  // whatever was measured
  const Body body = [](Rank& rank) {
    const DeviceSpan<int> numbers = rank.put(counting(999, 0));
    EXPECT_TRUE(rank.comm.share(numbers));
    const int before = rank.count(&Machine::kernels);
    Work work = rank.comm.allreduce(numbers, Op::sum, rank.native());
    work.wait();
    const int launches = rank.count(&Machine::kernels) - before;
    EXPECT_EQ(launches, are_emulated() ? rank.comm.size() : 0);
    EXPECT_EQ(rank.get(numbers)[998], rank.comm.size() * 998);
  };
  run_connected(3, body, options);
}

TEST(DeviceToDevice, BeginsAndEndsInTheOrderOfTheStream) {
  run_connected(2, [](Rank& rank) {
    const DeviceSpan<int> numbers = rank.put({1, 1});
    const DeviceSpan<int> newer = rank.put({5, 6});
    const DeviceSpan<int> copy = rank.put({0, 0});
    rank.gate.hold(rank.stream);
    must(rank.runtime.copy(rank.stream, numbers.data(), newer.data(), 8));
    Work work = rank.comm.allreduce(numbers, Op::sum, rank.native());
    must(rank.runtime.copy(rank.stream, copy.data(), numbers.data(), 8));
    EXPECT_FALSE(work.done());
    rank.gate.open();
    rank.synchronize();
    const int size = rank.comm.size();
    EXPECT_EQ(rank.get(copy), (std::vector<int>{5 * size, 6 * size}));
    work.wait();
  });
}

TEST(DeviceToDevice, ManyCallsBetweenThoseOfTheHost) {
  run_connected(3, [](Rank& rank) {
    const DeviceSpan<int> numbers = rank.put({1});
    std::vector<Work> works;
    int expected = 1;
    for (int i = 0; i < 9; ++i) {
      works.push_back(rank.comm.allreduce(numbers, Op::sum, rank.native()));
      expected *= rank.comm.size();
      std::vector<int> host = {1, 2};
      rank.comm.allreduce(host);
      EXPECT_EQ(host, (std::vector<int>{rank.comm.size(), 2 * rank.comm.size()}));
    }
    EXPECT_EQ(rank.get(numbers), std::vector<int>{expected});
    for (Work& work : works) work.wait();
  });
}

TEST(DeviceToDevice, GoesByMessagesWithRanksThatHaveHostMemory) {
  run_connected(3, [](Rank& rank) {
    const int size = rank.comm.size();
    for (int turn = 0; turn < size; ++turn) {
      if (rank.number() == turn) {
        std::vector<int> numbers = {1, 2};
        rank.comm.allreduce(numbers);
        EXPECT_EQ(numbers, (std::vector<int>{size, 2 * size}));
      } else {
        const DeviceSpan<int> numbers = rank.put({1, 2});
        Work work = rank.comm.allreduce(numbers, Op::sum, rank.native());
        EXPECT_EQ(rank.get(numbers), (std::vector<int>{size, 2 * size}));
        work.wait();
      }
    }
  });
}

TEST(DeviceToDevice, PersistentCollectivesOfTheHostMeetOthers) {
  run_connected(2, [](Rank& rank) {
    std::vector<int> numbers = {1, 2};
    Persistent sum = rank.comm.allreduce_init(numbers);
    for (int i = 0; i < 2; ++i) {
      sum.start();
      sum.wait();
    }
    const int size = rank.comm.size();
    EXPECT_EQ(numbers, (std::vector<int>{size * size, 2 * size * size}));
  });
}

TEST(DeviceToDevice, SharedMemoryIsFreedAfterAll) {
  run_connected(2, [](Rank& rank) {
    for (int i = 0; i < 3; ++i) {
      void* const memory = must(rank.runtime.allocate(Allocation::device, 0, 1 << 16));
      const DeviceSpan<int> numbers(static_cast<int*>(memory), 100);
      rank.write(numbers, counting(100, i));
      EXPECT_TRUE(rank.comm.share(numbers));
      Work work = rank.comm.allreduce(numbers, Op::sum, rank.native());
      std::vector<int> expected;
      for (const int value : counting(100, i)) expected.push_back(rank.comm.size() * value);
      EXPECT_EQ(rank.get(numbers), expected);
      work.wait();
      rank.comm.unshare(numbers);
      must(rank.runtime.deallocate(Allocation::device, memory));
      rank.comm.barrier();
    }
    const DeviceSpan<int> never = rank.put({1});
    EXPECT_THROW(rank.comm.unshare(never), Error);
  });
}

// What the ranks do, and what they are told, where the path cannot be made.
void check_refused(std::atomic<bool> Machine::*refusal, const std::string& reason) {
  if (!are_emulated()) GTEST_SKIP() << "on emulated devices only";
  testing::internal::CaptureStderr();
  run_ranks(2, [&](Rank& rank) {
    rank.machine().*refusal = true;
    rank.comm.barrier();
    EXPECT_FALSE(rank.comm.connect_devices(0));
    rank.comm.barrier();
    rank.machine().*refusal = false;
    EXPECT_FALSE(rank.comm.share(rank.place(1)));
    const DeviceSpan<int> numbers = rank.put({1, 2});
    Work work = rank.comm.allreduce(numbers, Op::sum, rank.native());
    EXPECT_EQ(rank.get(numbers), (std::vector<int>{2, 4}));
    work.wait();
  });
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_NE(said.find("goes by way of the host's: rank"), std::string::npos) << said;
  EXPECT_NE(said.find(reason), std::string::npos) << said;
}

TEST(DeviceToDevice, IsLeftWhereMemoryCannotBePinned) {
  check_refused(&Machine::refuses_pinning, "pin");
}

TEST(DeviceToDevice, IsLeftWhereMemoryCannotBeExported) {
  if (!are_processes()) GTEST_SKIP() << "within a process no handles are needed";
  check_refused(&Machine::refuses_exports, "has no handle");
}

TEST(DeviceToDevice, IsLeftWhereMemoryCannotBeOpened) {
  if (!are_processes()) GTEST_SKIP() << "within a process nothing is opened";
  check_refused(&Machine::refuses_opens, "not supported");
}

TEST(DeviceToDevice, IsLeftWhereMemoryRunsOut) {
  if (!are_emulated()) GTEST_SKIP() << "on emulated devices only";
  testing::internal::CaptureStderr();
  run_ranks(2, [](Rank& rank) {
    if (rank.number() == 1) {
      const std::size_t left = must(rank.runtime.devices())[0].memory_bytes;
      rank.place((left - 4096) / sizeof(int));
    }
    rank.comm.barrier();
    EXPECT_FALSE(rank.comm.connect_devices(0));
  });
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_TRUE(std::regex_search(said, std::regex("out of memory: [0-9]+ bytes on device 0")))
      << said;
}

TEST(DeviceToDevice, IsLeftWhereThereIsNoSuchDevice) {
  if (launched() != nullptr) GTEST_SKIP() << "several say so";
  testing::internal::CaptureStderr();
  run_ranks(2, [](Rank& rank) { EXPECT_FALSE(rank.comm.connect_devices(1000 * rank.number())); });
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_NE(said.find("rank 1: there is no device 1000"), std::string::npos) << said;
}

// Their kernels wait for each other, and none may take the room of those that others wait for.
TEST(DeviceToDevice, CommunicatorsHaveCallsUnderWayAtTheSameTime) {
  constexpr std::size_t count = 200'000;
  constexpr std::size_t many = 4;
  run_ranks(2, [](Rank& rank) {
    std::vector<Communicator> comms;
    std::vector<DeviceSpan<int>> buffers;
    std::vector<std::unique_ptr<Stream>> streams;
    for (std::size_t i = 0; i < many; ++i) {
      comms.push_back(rank.comm.duplicate());
      EXPECT_TRUE(comms.back().connect_devices(0));
      buffers.push_back(rank.put(counting(count, rank.number() + static_cast<int>(i))));
      streams.push_back(std::make_unique<Stream>(rank.runtime));
    }
    rank.comm.barrier();
    for (int turn = 0; turn < 10; ++turn) {
      std::vector<Work> works;
      for (std::size_t i = 0; i < many; ++i) {
        auto* const stream = static_cast<CUstream_st*>(DeviceStream(*streams[i]).native);
        works.push_back(comms[i].allreduce(buffers[i], Op::max, stream));
      }
      for (Work& work : works) work.wait();
    }
    for (std::size_t i = 0; i < many; ++i) {
      must(rank.runtime.synchronize(*streams[i]));
      EXPECT_EQ(rank.get(buffers[i]), counting(count, static_cast<int>(i) + 1));
    }
  });
}

// Launches of kernels that wait, by the communicator and two of its duplicates, of which the first
// one ends before the third is made.
TEST(DeviceToDevice, StreamsWaitWhereOtherCommunicatorsHaveTheRoom) {
  if (!are_emulated()) GTEST_SKIP() << "on emulated devices only";
  testing::internal::CaptureStderr();
  run_connected(2,
                [](Rank& rank) {
                  const DeviceSpan<int> numbers = rank.put(counting(100, 0));
                  const auto launches = [&](Communicator& comm) {
                    EXPECT_TRUE(comm.connect_devices(0));
                    const int before = rank.count(&Machine::programs);
                    comm.allreduce(numbers, Op::max, rank.native()).wait();
                    return rank.count(&Machine::programs) - before;
                  };
                  Communicator second = rank.comm.duplicate();
                  Communicator third = rank.comm.duplicate();
                  Communicator fourth = rank.comm.duplicate();
                  EXPECT_EQ(launches(second), 2);
                  EXPECT_EQ(launches(third), 0) << "there was no room left";
                  second = Communicator();
                  EXPECT_EQ(launches(fourth), 2) << "what the second one took did not come back";
                },
                {.device_order = "kernels", .device_packet_bytes = 0});
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_NE(said.find("streams wait for each other, and no kernels: rank"), std::string::npos)
      << said;
  EXPECT_NE(said.find("room for 16 thread blocks"), std::string::npos) << said;
}

// By a kernel, it would be the end of the device.
TEST(DeviceToDevice, SpansLongerThanTheirMemoryAreRefused) {
  for (const bool connects : {false, true}) {
    run_ranks(2, [connects](Rank& rank) {
      if (connects) {
        EXPECT_TRUE(rank.comm.connect_devices(0));
      }
      const DeviceSpan<int> numbers = rank.put(counting(1000, 0));
      const DeviceSpan<int> result = rank.put(counting(1000, 0));
      const std::size_t far = std::size_t{1} << 24;  // whatever allocations are rounded to
      const auto expect_refusal = [&](DeviceSpan<int> buffer) {
        try {
          Work work = rank.comm.allreduce(buffer, Op::sum, rank.native());
          ADD_FAILURE() << "it was not refused";
        } catch (const Error& error) {
          EXPECT_EQ(error.code(), ErrorCode::invalid_argument) << error.what();
          EXPECT_NE(std::string(error.what()).find("its memory ends after"), std::string::npos)
              << error.what();
        }
      };
      expect_refusal({numbers.data(), far});
      expect_refusal({numbers.data() + 999, far});
      rank.comm.allreduce(numbers, result, Op::sum, rank.native()).wait();
      EXPECT_EQ(rank.get(result)[999], 1998) << "the communicator goes on";
    });
  }
}

TEST(DeviceToDevice, EndsWithAnAbort) {
  run_connected(3, [](Rank& rank) {
    const DeviceSpan<int> numbers = rank.put({1});
    if (rank.number() == 1) rank.gate.hold(rank.stream);
    Work work = rank.comm.allreduce(numbers, Op::sum, rank.native());
    rank.meet();
    if (rank.number() == 1) rank.comm.abort("enough");
    const Error error = error_of(work);
    EXPECT_EQ(error.code(), ErrorCode::aborted) << error.text();
    EXPECT_NE(error.text().find("enough"), std::string::npos) << error.text();
    rank.gate.open();
    rank.synchronize();
  });
}

TEST(DeviceToDevice, NamesTheRankThatIsLate) {
  Options options;
  options.timeout = std::chrono::milliseconds(300);
  run_connected(
      3,
      [](Rank& rank) {
        if (rank.number() == 1) return;
        const DeviceSpan<int> numbers = rank.put({1});
        Work work = rank.comm.allreduce(numbers, Op::sum, rank.native());
        const Error error = error_of(work);
        EXPECT_EQ(error.code(), ErrorCode::timeout) << error.text();
        EXPECT_NE(error.text().find("rank 1"), std::string::npos) << error.text();
        rank.synchronize();
      },
      options);
}

bool kernels_wait_themselves() {
  const char* const order = std::getenv("DEVICE_ORDER");
  return order != nullptr && std::string(order) != "streams";
}

// Rank 1's process dies when all have begun, with its memory open everywhere: the streams of others
// wait for it, and nothing that comes after touches what it had. Kernels that wait themselves have
// written to it by then, or do so when it is gone, which may be the end of their device.
void check_death(std::size_t count) {
  if (!are_processes()) GTEST_SKIP() << "all ranks are one process";
  run_connected(3, [count](Rank& rank) {
    const DeviceSpan<int> numbers = rank.put(counting(count, 0));
    rank.meet();
    if (rank.number() == 1) emulated(rank.runtime)->die_in_next_kernel();
    Work work = rank.comm.allreduce(numbers, Op::sum, rank.native());
    const Error error = error_of(work);
    if (kernels_wait_themselves()) return;
    EXPECT_NE(error.text().find("rank 1"), std::string::npos) << error.text();
    EXPECT_NE(error.text().find("was killed"), std::string::npos) << error.text();
    if (rank.number() == 1) return;
    rank.synchronize();  // throws where the device is of no use any more
    rank.get(numbers);
    Work later = rank.comm.allreduce(numbers, Op::sum, rank.native());
    error_of(later);
    rank.synchronize();
  });
}

TEST(DeviceToDevice, NamesTheRankThatDiesAmongThem) {
  check_death(10'000);
}

TEST(DeviceToDevice, NamesTheRankThatDiesBeforeItsPacketsCome) {
  check_death(10);
}

}  // namespace

std::vector<Role*> roles() {
  return {};
}

}  // namespace rondo::test
