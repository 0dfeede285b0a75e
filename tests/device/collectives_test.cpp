// Collectives of device memory, among ranks that are threads.

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <numeric>
#include <optional>

#include "harness.hpp"
#include "rondo/rondo.hpp"

namespace rondo::test {
namespace {

// What one rank has: a communicator, a stream of its own, and device memory. That is freed when all
// ranks have ended: to free it is to wait for the others' streams, which may wait for this rank.
class Rank {
 public:
  explicit Rank(Communicator& communicator) : comm(communicator) {}

  Communicator& comm;
  const Stream stream{runtime()};

  CUstream_st* native() const { return static_cast<CUstream_st*>(DeviceStream(stream).native); }
  std::size_t number() const { return static_cast<std::size_t>(comm.rank()); }
  void synchronize() const { must(runtime().synchronize(stream)); }
  std::byte* allocate(std::size_t bytes) {
    std::byte* const begin = memory_.bytes() + used_;
    used_ += (bytes + 255) / 256 * 256;
    if (used_ > capacity) throw Error(ErrorCode::resource, "the test has too little memory");
    return begin;
  }
  /// Words that the host can see.
  const Memory pinned{runtime(), Allocation::pinned, 256};
  Gate gate{runtime()};

 private:
  static constexpr std::size_t capacity = 8 << 20;
  const Memory memory_{runtime(), Allocation::device, capacity};
  std::size_t used_ = 0;
};

void run_ranks(int ranks, const std::function<void(Rank&)>& body, const Options& options = {}) {
  std::vector<Communicator> world = Communicator::local(ranks, options);
  std::vector<std::unique_ptr<Rank>> all;
  for (Communicator& comm : world) all.push_back(std::make_unique<Rank>(comm));
  std::vector<std::thread> threads;
  for (const auto& rank : all) {
    threads.emplace_back([&rank, &body] {
      try {
        body(*rank);
      } catch (const std::exception& error) {
        ADD_FAILURE() << "rank " << rank->comm.rank() << ": " << error.what();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

/// Numbers in device memory.
template <class T>
class Numbers {
 public:
  Numbers(Rank& rank, const std::vector<T>& values)
      : rank_(rank),
        count_(values.size()),
        place_(reinterpret_cast<T*>(rank.allocate(count_ * sizeof(T)))) {
    must(runtime().copy(rank.stream, place_, values.data(), count_ * sizeof(T)));
  }
  operator DeviceSpan<T>() const { return {place_, count_}; }
  DeviceSpan<T> span() const { return *this; }
  /// When the stream has come so far.
  std::vector<T> values() const {
    std::vector<T> got(count_);
    must(runtime().copy(rank_.stream, got.data(), place_, count_ * sizeof(T)));
    rank_.synchronize();
    return got;
  }

 private:
  const Rank& rank_;
  std::size_t count_;
  T* place_;
};

std::vector<int> counting(std::size_t count, int first) {
  std::vector<int> values(count);
  std::iota(values.begin(), values.end(), first);
  return values;
}

TEST(DeviceCollectives, SumInPlaceAndOutOfPlace) {
  run_ranks(3, [](Rank& rank) {
    for (const std::size_t count : {0, 1, 1000, 100'000}) {
      const std::vector<int> own = counting(count, 10 * rank.comm.rank());
      std::vector<int> expected;
      for (const int value : counting(count, 0)) expected.push_back(3 * value + 30);
      const Numbers<int> send(rank, own);
      const Numbers<int> receive(rank, std::vector<int>(count, -1));
      Work apart = rank.comm.allreduce(send.span(), receive.span(), Op::sum, rank.native());
      Work in_place = rank.comm.allreduce(send.span(), Op::sum, rank.native());
      EXPECT_EQ(receive.values(), expected);
      EXPECT_EQ(send.values(), expected);
      apart.wait();
      in_place.wait();
    }
  });
}

TEST(DeviceCollectives, OfHalfFloatsAndOtherOperations) {
  run_ranks(2, [](Rank& rank) {
    const float sign = rank.comm.rank() == 0 ? 1.0f : -1.0f;
    const Numbers<bf16> numbers(rank, {bf16(sign * 3), bf16(1 + sign), bf16(0.5f)});
    Work work = rank.comm.allreduce(numbers.span(), Op::max, rank.native());
    EXPECT_EQ(numbers.values(), (std::vector<bf16>{bf16(3), bf16(2), bf16(0.5f)}));
    work.wait();
  });
}

TEST(DeviceCollectives, AllOthersToo) {
  run_ranks(3, [](Rank& rank) {
    const int own = rank.comm.rank();
    const Numbers<int> mine(rank, {own, own + 10});
    const Numbers<int> blocks(rank, {own, own + 1, own + 2, own + 3, own + 4, own + 5});
    const Numbers<int> all(rank, std::vector<int>(6, -1));
    const Numbers<int> part(rank, {-1, -1});
    CUstream_st* const stream = rank.native();
    Work gathered = rank.comm.allgather(mine.span(), all.span(), stream);
    EXPECT_EQ(all.values(), (std::vector<int>{0, 10, 1, 11, 2, 12}));
    Work scattered = rank.comm.reduce_scatter(blocks.span(), part.span(), Op::sum, stream);
    EXPECT_EQ(part.values(), (std::vector<int>{3 + 6 * own, 6 + 6 * own}));
    Work exchanged = rank.comm.alltoall(blocks.span(), all.span(), stream);
    EXPECT_EQ(all.values(), (std::vector<int>{2 * own, 2 * own + 1, 2 * own + 1, 2 * own + 2,
                                              2 * own + 2, 2 * own + 3}));
    Work reduced = rank.comm.reduce(mine.span(), Op::prod, 1, stream);
    EXPECT_EQ(mine.values(),
              own == 1 ? (std::vector<int>{0, 10 * 11 * 12}) : (std::vector<int>{own, own + 10}));
    Work told = rank.comm.broadcast(mine.span(), 1, stream);
    EXPECT_EQ(mine.values(), (std::vector<int>{0, 10 * 11 * 12}));
    for (Work* work : {&gathered, &scattered, &exchanged, &reduced, &told}) work->wait();
  });
}

// So long that they go chunk by chunk.
TEST(DeviceCollectives, OfLongBuffers) {
  constexpr std::size_t count = 350'000;
  run_ranks(3, [](Rank& rank) {
    const int own = rank.comm.rank();
    const std::vector<int> own_values = counting(count, own);
    std::vector<int> of_all;
    for (int r = 0; r < 3; ++r) {
      const std::vector<int> part = counting(count, r);
      of_all.insert(of_all.end(), part.begin(), part.end());
    }
    const auto times = [](std::vector<int> values, int factor) {
      for (int& value : values) value *= factor;
      return values;
    };
    const Numbers<int> mine(rank, own_values);
    const Numbers<int> all(rank, std::vector<int>(3 * count, -1));
    CUstream_st* const stream = rank.native();
    Work gathered = rank.comm.allgather(mine.span(), all.span(), stream);
    EXPECT_EQ(all.values(), of_all);
    Work summed = rank.comm.allreduce(all.span(), Op::sum, stream);
    EXPECT_EQ(all.values(), times(of_all, 3));
    Work scattered = rank.comm.reduce_scatter(all.span(), mine.span(), Op::max, stream);
    EXPECT_EQ(mine.values(), times(own_values, 3));
    Work reduced = rank.comm.reduce(all.span(), Op::sum, 2, stream);
    EXPECT_EQ(all.values(), times(of_all, own == 2 ? 9 : 3));
    Work told = rank.comm.broadcast(all.span(), 2, stream);
    EXPECT_EQ(all.values(), times(of_all, 9));
    Work prefix = rank.comm.scan(all.span(), all.span(), Op::sum, stream);
    EXPECT_EQ(all.values(), times(of_all, 9 * (own + 1)));
    for (Work* work : {&gathered, &summed, &scattered, &reduced, &told, &prefix}) work->wait();
  });
}

TEST(DeviceCollectives, OfPrefixesAndOfRoots) {
  run_ranks(3, [](Rank& rank) {
    const int own = rank.comm.rank();
    const bool is_root = own == 1;
    const std::vector<int> untouched(6, -1);
    const Numbers<int> mine(rank, {own + 1, 10 * own});
    const Numbers<int> part(rank, {-1, -1});
    const Numbers<int> before(rank, {-1, -1});
    const Numbers<int> all(rank, untouched);
    const Numbers<int> sum(rank, {-1, -1});
    CUstream_st* const stream = rank.native();
    Work prefix = rank.comm.scan(mine.span(), part.span(), Op::sum, stream);
    EXPECT_EQ(part.values(), (std::vector<int>{(own + 1) * (own + 2) / 2, 5 * own * (own + 1)}));
    Work lower = rank.comm.exscan(mine.span(), before.span(), Op::sum, stream);
    EXPECT_EQ(before.values(), own == 0 ? (std::vector<int>{-1, -1})
                                        : (std::vector<int>{own * (own + 1) / 2, 10 * (own - 1)}));
    Work reduced = rank.comm.reduce(mine.span(), sum.span(), Op::sum, 1, stream);
    EXPECT_EQ(sum.values(), is_root ? (std::vector<int>{6, 30}) : (std::vector<int>{-1, -1}));
    Work gathered = rank.comm.gather(mine.span(), all.span(), 1, stream);
    EXPECT_EQ(all.values(), is_root ? (std::vector<int>{1, 0, 2, 10, 3, 20}) : untouched);
    Work scattered = rank.comm.scatter(all.span(), part.span(), 1, stream);
    EXPECT_EQ(part.values(), (std::vector<int>{own + 1, 10 * own}));
    for (Work* work : {&prefix, &lower, &reduced, &gathered, &scattered}) work->wait();
  });
}

// That of rank r has r elements.
TEST(DeviceCollectives, OfBlocksOfDifferentLengths) {
  run_ranks(3, [](Rank& rank) {
    const int own = rank.comm.rank();
    const std::size_t length = rank.number();
    const bool is_root = own == 2;
    const std::vector<std::size_t> counts = {0, 1, 2};
    const std::vector<std::size_t> alike(3, length);
    const Numbers<int> mine(rank, counting(length, 10 * own));
    const Numbers<int> all(rank, {-1, -1, -1});
    const Numbers<int> part(rank, std::vector<int>(length, -1));
    const Numbers<int> to_all(rank, counting(3 * length, 10 * own));
    CUstream_st* const stream = rank.native();
    Work gathered = rank.comm.gatherv(mine.span(), all.span(), {counts}, 2, stream);
    EXPECT_EQ(all.values(), is_root ? (std::vector<int>{10, 20, 21}) : std::vector<int>(3, -1));
    Work scattered = rank.comm.scatterv(all.span(), part.span(), {counts}, 2, stream);
    EXPECT_EQ(part.values(), counting(length, 10 * own));
    Work everywhere = rank.comm.allgatherv(mine.span(), all.span(), {counts}, stream);
    EXPECT_EQ(all.values(), (std::vector<int>{10, 20, 21}));
    Work summed = rank.comm.reduce_scatterv(all.span(), part.span(), counts, Op::sum, stream);
    EXPECT_EQ(part.values(), own == 0   ? std::vector<int>{}
                             : own == 1 ? (std::vector<int>{30})
                                        : (std::vector<int>{60, 63}));
    // Block i of rank r is as long as r.
    Work exchanged = rank.comm.alltoallv(to_all.span(), {alike}, all.span(), {counts}, stream);
    EXPECT_EQ(all.values(), (std::vector<int>{10 + own, 20 + 2 * own, 21 + 2 * own}));
    for (Work* work : {&gathered, &scattered, &everywhere, &summed, &exchanged}) work->wait();
  });
}

// With blocks of different lengths, between which something else lies.
TEST(DeviceCollectives, LeaveWhatLiesBetweenBlocks) {
  run_ranks(2, [](Rank& rank) {
    const std::vector<std::size_t> counts = {1, 2};
    const std::vector<std::size_t> displacements = {1, 3};
    const Numbers<int> mine(rank, counting(counts[rank.number()], 10 * rank.comm.rank()));
    const Numbers<int> all(rank, std::vector<int>(5, -1));
    Work work =
        rank.comm.allgatherv(mine.span(), all.span(), {counts, displacements}, rank.native());
    EXPECT_EQ(all.values(), (std::vector<int>{-1, 0, -1, 10, 11}));
    work.wait();
  });
}

TEST(DeviceCollectives, BeginAndEndInTheOrderOfTheStream) {
  run_ranks(2, [](Rank& rank) {
    const Numbers<int> numbers(rank, {1, 1});
    const Numbers<int> newer(rank, {5, 6});
    rank.synchronize();
    rank.gate.hold(rank.stream);
    must(runtime().copy(rank.stream, numbers.span().data(), newer.span().data(), 8));
    Work work = rank.comm.allreduce(numbers.span(), Op::sum, rank.native());
    must(runtime().copy(rank.stream, rank.pinned.bytes(), numbers.span().data(), 8));
    EXPECT_FALSE(work.done());
    EXPECT_FALSE(must(runtime().is_done(rank.stream)));
    rank.gate.open();
    rank.synchronize();
    EXPECT_EQ(rank.pinned.as<int>()[0], 10);
    EXPECT_EQ(rank.pinned.as<int>()[1], 12);
    work.wait();
  });
}

TEST(DeviceCollectives, GoTogetherWithRanksThatHaveNone) {
  run_ranks(3, [](Rank& rank) {
    for (const std::size_t count : {2, 1'000'000}) {
      const std::vector<int> own = counting(count, 10 * rank.comm.rank());
      std::vector<int> expected;
      for (const int value : counting(count, 0)) expected.push_back(3 * value + 30);
      if (rank.comm.rank() == 1) {
        std::vector<int> numbers = own;
        rank.comm.allreduce(numbers);
        EXPECT_EQ(numbers, expected);
      } else {
        const Numbers<int> numbers(rank, own);
        Work work = rank.comm.allreduce(numbers.span(), Op::sum, rank.native());
        EXPECT_EQ(numbers.values(), expected);
        work.wait();
      }
    }
  });
}

// Rank 0 makes its calls in two streams, of which the first one is held up.
TEST(DeviceCollectives, KeepTheOrderOfTheCallsAcrossStreams) {
  run_ranks(2, [](Rank& rank) {
    const DeviceStream other = must(runtime().create_stream(0));
    const Numbers<int> first(rank, {1});
    const Numbers<int> second(rank, {10});
    rank.synchronize();
    rank.gate.hold(rank.stream);
    Work one = rank.comm.allreduce(first.span(), Op::sum, rank.native());
    Work two = rank.comm.allreduce(second.span(), Op::sum, static_cast<CUstream_st*>(other.native));
    std::vector<int> host = {100};
    Work three = rank.comm.iallreduce(host);
    EXPECT_FALSE(three.done());
    rank.gate.open();
    std::vector<int> last = {1000};
    rank.comm.allreduce(last);  // waits for all of them
    EXPECT_TRUE(one.done() && two.done() && three.done());
    EXPECT_EQ(last[0], 2000);
    EXPECT_EQ(host[0], 200);
    must(runtime().synchronize(other));
    must(runtime().destroy_stream(other));
    EXPECT_EQ(first.values()[0], 2);
    EXPECT_EQ(second.values()[0], 20);
    for (Work* work : {&one, &two, &three}) work->wait();
  });
}

TEST(DeviceCollectives, TakeManyCallsOfGrowingSize) {
  run_ranks(2, [](Rank& rank) {
    std::vector<std::optional<Numbers<int>>> numbers(20);
    std::vector<Work> works;
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      numbers[i].emplace(rank, std::vector<int>(i * i * 40 + 1, static_cast<int>(i)));
      works.push_back(rank.comm.allreduce(numbers[i]->span(), Op::sum, rank.native()));
    }
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      EXPECT_EQ(numbers[i]->values(), std::vector<int>(i * i * 40 + 1, 2 * static_cast<int>(i)));
    }
    for (Work& work : works) work.wait();
  });
}

// Of which the first ones go chunk by chunk, until the stream has much to do.
TEST(DeviceCollectives, TakeManyLongCalls) {
  run_ranks(2, [](Rank& rank) {
    constexpr std::size_t count = 400'000;
    const Numbers<int> numbers(rank, counting(count, rank.comm.rank()));
    rank.synchronize();
    rank.gate.hold(rank.stream);
    std::vector<Work> works;
    for (int i = 0; i < 80; ++i) {
      works.push_back(rank.comm.allreduce(numbers.span(), Op::max, rank.native()));
    }
    rank.gate.open();
    EXPECT_EQ(numbers.values(), counting(count, 1));
    for (Work& work : works) work.wait();
  });
}

TEST(DeviceCollectives, RefuseWhatNoStreamCanUse) {
  run_ranks(1, [](Rank& rank) {
    std::vector<int> pageable = {1, 2};
    const DeviceSpan<int> span(pageable.data(), pageable.size());
    try {
      Work work = rank.comm.allreduce(span, Op::sum, rank.native());
      ADD_FAILURE() << "pageable memory was taken";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
      EXPECT_NE(error.text().find("not pinned"), std::string::npos) << error.text();
    }
    int* const pinned = rank.pinned.as<int>();
    pinned[0] = 3;
    pinned[1] = 4;
    Work work = rank.comm.allreduce(DeviceSpan<int>(pinned, 2), Op::sum, rank.native());
    work.wait();
    rank.synchronize();
    EXPECT_EQ(pinned[1], 4);
  });
}

// The stream goes on, and the ranks get the same reason.
TEST(DeviceCollectives, EndWithAnAbort) {
  run_ranks(2, [](Rank& rank) {
    const Numbers<int> numbers(rank, {1});
    rank.synchronize();
    rank.gate.hold(rank.stream);
    Work work = rank.comm.allreduce(numbers.span(), Op::sum, rank.native());
    if (rank.comm.rank() == 0) {
      rank.comm.abort("enough");
    } else {
      rank.gate.open();
    }
    try {
      work.wait();
      ADD_FAILURE() << "it was not aborted";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::aborted) << error.text();
      EXPECT_NE(error.text().find("enough"), std::string::npos) << error.text();
    }
    rank.gate.open();
    rank.synchronize();
    Work later = rank.comm.allreduce(numbers.span(), Op::sum, rank.native());
    rank.synchronize();
    EXPECT_THROW(later.wait(), Error);
  });
}

// In a process of its own, whose devices are of no use any more afterwards. Rank 1 uses none.
void fail_in_a_stream() {
  std::atomic<int> told = 0;
  run_ranks(2, [&](Rank& rank) {
    try {
      if (rank.comm.rank() == 1) {
        std::vector<float> host = {1};
        rank.comm.allreduce(host);
      } else {
        const Numbers<float> numbers(rank, {1});
        const void* const nowhere = reinterpret_cast<const void*>(std::uintptr_t{4096});
        void* const destination = numbers.span().data();
        rank.gate.hold(rank.stream);
        must(runtime().reduce(rank.stream, {.sources = std::span(&nowhere, 1),
                                            .destinations = std::span(&destination, 1),
                                            .count = 1}));
        Work work = rank.comm.allreduce(numbers.span(), Op::sum, rank.native());
        rank.gate.open();
        work.wait();
      }
    } catch (const Error& error) {
      std::cerr << error.text() << std::endl;
      if (error.code() == ErrorCode::io) ++told;
    }
  });
  std::_Exit(told == 2 ? 0 : 1);
}

TEST(DeviceCollectives, EndWithTheErrorOfAStream) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(fail_in_a_stream(), testing::ExitedWithCode(0), "illegal");
}

}  // namespace

std::vector<Role*> roles() {
  return {};
}

}  // namespace rondo::test
