// Collectives from device to device, on emulated devices: among ranks that are threads, each of
// them a process of its own to the devices where the environment says so.

#include <gtest/gtest.h>

#include <barrier>
#include <cstdlib>
#include <functional>
#include <numeric>

#include "base/text.hpp"
#include "bootstrap/device_library.hpp"
#include "bootstrap/environment.hpp"
#include "device/emulated/runtime.hpp"
#include "harness.hpp"
#include "rondo/rondo.hpp"

namespace rondo::test {
namespace {

bool are_processes() {
  return std::getenv("RONDO_EMULATED_PROCESSES") != nullptr;
}

EmulatedRuntime& own_runtime() {
  return static_cast<EmulatedRuntime&>(*must(open_device_runtime(process_environment)));
}

// What one rank has. Device memory is freed when all ranks are through.
class Rank {
 public:
  explicit Rank(Communicator& communicator) : comm(communicator) {}

  Communicator& comm;
  EmulatedRuntime& runtime = own_runtime();
  const Stream stream{runtime};
  Gate gate{runtime};

  CUstream_st* native() const { return static_cast<CUstream_st*>(DeviceStream(stream).native); }
  int number() const { return comm.rank(); }
  void synchronize() const { must(runtime.synchronize(stream)); }
  Machine& machine() const { return runtime.machine(); }

  DeviceSpan<int> place(std::size_t count) {
    memory_.push_back(std::make_unique<Memory>(runtime, Allocation::device,
                                               std::max<std::size_t>(count, 1) * sizeof(int)));
    return {memory_.back()->as<int>(), count};
  }
  DeviceSpan<int> put(const std::vector<int>& values) {
    const DeviceSpan<int> made = place(values.size());
    write(made, values);
    return made;
  }
  void write(DeviceSpan<int> to, const std::vector<int>& values) const {
    must(runtime.copy(stream, to.data(), values.data(), values.size() * sizeof(int)));
    synchronize();
  }
  /// When the stream has come so far.
  std::vector<int> get(DeviceSpan<int> span) const {
    std::vector<int> got(span.size());
    must(runtime.copy(stream, got.data(), span.data(), got.size() * sizeof(int)));
    synchronize();
    return got;
  }

 private:
  std::vector<std::unique_ptr<Memory>> memory_;
};

using Body = std::function<void(Rank&)>;

// Each rank in a thread, which is its process: the communicator ends there, before the process.
void run_ranks(int ranks, const Body& body, const Options& options = {}) {
  std::vector<Communicator> world = Communicator::local(ranks, options);
  std::barrier<> end(ranks);
  std::vector<std::thread> threads;
  for (Communicator& comm : world) {
    threads.emplace_back([&end, &body, own = std::move(comm)]() mutable {
      {
        Rank rank(own);
        try {
          body(rank);
        } catch (const std::exception& error) {
          ADD_FAILURE() << "rank " << own.rank() << ": " << error.what();
        }
        end.arrive_and_wait();
        own = Communicator();
      }
      end.arrive_and_wait();
    });
  }
  for (std::thread& thread : threads) thread.join();
}

void run_connected(int ranks, const Body& body, const Options& options = {}) {
  run_ranks(
      ranks,
      [&](Rank& rank) {
        const bool is_connected = rank.comm.connect_devices(0);
        EXPECT_TRUE(is_connected);
        if (is_connected) body(rank);
      },
      options);
}

std::vector<int> counting(std::size_t count, int first) {
  std::vector<int> values(count);
  std::iota(values.begin(), values.end(), first);
  return values;
}

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
  rank.comm.barrier();
  const int waiting = rank.machine().waiting_calls;
  rank.comm.barrier();
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
  rank.comm.barrier();
  EXPECT_EQ(rank.machine().waiting_calls, waiting) << "something waited for the device";
  rank.comm.barrier();
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

// The workspace has 1 MiB here.
TEST(DeviceToDevice, MoreThanTheWorkspaceHolds) {
  run_connected(3, [](Rank& rank) { check_all(rank, 150'000, false); });
}

// One kernel of each rank, where all is in place.
TEST(DeviceToDevice, SharedMemoryIsUsedWhereItIs) {
  run_connected(3, [](Rank& rank) {
    const DeviceSpan<int> numbers = rank.put(counting(999, 0));
    EXPECT_TRUE(rank.comm.share(numbers));
    rank.comm.barrier();
    const int before = rank.machine().kernels;
    rank.comm.barrier();
    Work work = rank.comm.allreduce(numbers, Op::sum, rank.native());
    work.wait();
    rank.comm.barrier();
    EXPECT_EQ(rank.machine().kernels, before + 3);
    EXPECT_EQ(rank.get(numbers)[998], 3 * 998);
  });
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
    EXPECT_EQ(rank.get(copy), (std::vector<int>{10, 12}));
    work.wait();
  });
}

TEST(DeviceToDevice, ManyCallsBetweenThoseOfTheHost) {
  run_connected(3, [](Rank& rank) {
    const DeviceSpan<int> numbers = rank.put({1});
    std::vector<Work> works;
    int expected = 1;
    for (int i = 0; i < 12; ++i) {
      works.push_back(rank.comm.allreduce(numbers, Op::sum, rank.native()));
      expected *= 3;
      std::vector<float> host = {1, 2};
      rank.comm.allreduce(host);
      EXPECT_EQ(host, (std::vector<float>{3, 6}));
    }
    EXPECT_EQ(rank.get(numbers), std::vector<int>{expected});
    for (Work& work : works) work.wait();
  });
}

TEST(DeviceToDevice, GoesByMessagesWithRanksThatHaveHostMemory) {
  run_connected(3, [](Rank& rank) {
    for (int turn = 0; turn < 3; ++turn) {
      if (rank.number() == turn) {
        std::vector<int> numbers = {1, 2};
        rank.comm.allreduce(numbers);
        EXPECT_EQ(numbers, (std::vector<int>{3, 6}));
      } else {
        const DeviceSpan<int> numbers = rank.put({1, 2});
        Work work = rank.comm.allreduce(numbers, Op::sum, rank.native());
        EXPECT_EQ(rank.get(numbers), (std::vector<int>{3, 6}));
        work.wait();
      }
    }
  });
}

TEST(DeviceToDevice, PersistentCollectivesOfTheHostMeetOthers) {
  run_connected(2, [](Rank& rank) {
    std::vector<int> numbers = {1, 2};
    Persistent sum = rank.comm.allreduce_init(numbers);
    for (int i = 0; i < 3; ++i) {
      sum.start();
      sum.wait();
    }
    EXPECT_EQ(numbers, (std::vector<int>{8, 16}));
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
      for (const int value : counting(100, i)) expected.push_back(2 * value);
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
  if (are_processes()) check_refused(&Machine::refuses_exports, "has no handle");
}

TEST(DeviceToDevice, IsLeftWhereMemoryCannotBeOpened) {
  if (are_processes()) check_refused(&Machine::refuses_opens, "not supported");
}

TEST(DeviceToDevice, IsLeftWhereMemoryRunsOut) {
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
  EXPECT_NE(said.find("out of memory"), std::string::npos) << said;
}

TEST(DeviceToDevice, IsLeftWhereThereIsNoSuchDevice) {
  testing::internal::CaptureStderr();
  run_ranks(2, [](Rank& rank) { EXPECT_FALSE(rank.comm.connect_devices(rank.number())); });
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_NE(said.find("rank 1: there is no device 1"), std::string::npos) << said;
}

Error error_of(Work& work) {
  try {
    work.wait();
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "the call did not fail";
  return Error(ErrorCode::internal, "none");
}

TEST(DeviceToDevice, EndsWithAnAbort) {
  run_connected(3, [](Rank& rank) {
    const DeviceSpan<int> numbers = rank.put({1});
    if (rank.number() == 1) rank.gate.hold(rank.stream);
    Work work = rank.comm.allreduce(numbers, Op::sum, rank.native());
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

// Rank 1's process dies when all have begun, with its memory open everywhere: the streams of others
// wait for it, and nothing that comes after touches what it had.
TEST(DeviceToDevice, NamesTheRankThatDiesAmongThem) {
  if (!are_processes()) return;
  run_connected(3, [](Rank& rank) {
    const DeviceSpan<int> numbers = rank.put(counting(1000, 0));
    if (rank.number() == 1) rank.runtime.die_in_next_copy();
    Work work = rank.comm.allreduce(numbers, Op::sum, rank.native());
    const Error error = error_of(work);
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

}  // namespace

std::vector<Role*> roles() {
  return {};
}

}  // namespace rondo::test
