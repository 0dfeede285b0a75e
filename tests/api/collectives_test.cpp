// Every collective × algorithm × number of ranks × count, in place and out of place, through the
// API over ranks as threads. Inputs are f(rank, index) in a range where float sums are exact.

#include <numeric>

#include "harness/world.hpp"

namespace rondo {
namespace {

using testing::on_world;
using Values = std::vector<float>;

constexpr float guard = -77777.0f;

float input(int rank, std::size_t index) {
  return static_cast<float>((rank + 1) * 1000 + static_cast<int>(index % 997));
}
Values inputs(int rank, std::size_t count, std::size_t offset = 0) {
  Values values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = input(rank, offset + i);
  return values;
}
Values sums(int ranks, std::size_t count, std::size_t offset = 0) {
  Values values(count, 0.0f);
  for (int rank = 0; rank < ranks; ++rank) {
    for (std::size_t i = 0; i < count; ++i) values[i] += input(rank, offset + i);
  }
  return values;
}

struct Case {
  Algorithm algorithm;
  int ranks;
  std::size_t tile_bytes;
};

std::vector<Case> cases(Collective collective) {
  std::vector<Case> all;
  for (int a = 1; a < algorithm_count; ++a) {
    if (!is_supported(static_cast<Algorithm>(a), collective)) continue;
    for (const int ranks : {1, 2, 3, 4, 5, 8}) {
      for (const std::size_t tile : {0u, 12u})
        all.push_back({static_cast<Algorithm>(a), ranks, tile});
    }
  }
  return all;
}

void for_all(Collective collective, const std::function<void(Communicator&, std::size_t)>& body) {
  for (const Case& c : cases(collective)) {
    SCOPED_TRACE(std::string(name(c.algorithm)) + " among " + std::to_string(c.ranks) +
                 " ranks, tiles of " + std::to_string(c.tile_bytes));
    on_world(c.ranks, {.algorithm = c.algorithm, .tile_bytes = c.tile_bytes},
             [&](Communicator& comm) {
               for (const std::size_t count : {0u, 1u, 3u, 7u, 64u, 101u}) body(comm, count);
             });
  }
}

TEST(Collectives, Allreduce) {
  for_all(Collective::allreduce, [](Communicator& comm, std::size_t count) {
    const Values send = inputs(comm.rank(), count);
    Values receive(count, guard);
    comm.allreduce(send, receive);
    EXPECT_EQ(receive, sums(comm.size(), count));
    EXPECT_EQ(send, inputs(comm.rank(), count));
    Values both = send;
    comm.allreduce(both);
    EXPECT_EQ(both, receive);
    both = send;
    comm.allreduce(both, Op::max);
    EXPECT_EQ(both, inputs(comm.size() - 1, count));
  });
}

TEST(Collectives, AverageDividesOnce) {
  for_all(Collective::allreduce, [](Communicator& comm, std::size_t count) {
    Values values = inputs(comm.rank(), count);
    comm.allreduce(values, Op::avg);
    Values expected = sums(comm.size(), count);
    for (float& value : expected) value /= static_cast<float>(comm.size());
    EXPECT_EQ(values, expected);
  });
}

TEST(Collectives, Broadcast) {
  for_all(Collective::broadcast, [](Communicator& comm, std::size_t count) {
    for (int root = 0; root < comm.size(); ++root) {
      Values values = comm.rank() == root ? inputs(root, count) : Values(count, guard);
      comm.broadcast(values, root);
      EXPECT_EQ(values, inputs(root, count)) << "root " << root;
    }
  });
}

TEST(Collectives, Reduce) {
  for_all(Collective::reduce, [](Communicator& comm, std::size_t count) {
    for (int root = 0; root < comm.size(); ++root) {
      const Values send = inputs(comm.rank(), count);
      Values receive(comm.rank() == root ? count : 0, guard);
      comm.reduce(send, receive, Op::sum, root);
      if (comm.rank() == root) {
        EXPECT_EQ(receive, sums(comm.size(), count)) << "root " << root;
      }
      Values both = send;
      comm.reduce(both, Op::sum, root);
      EXPECT_EQ(both, comm.rank() == root ? receive : send) << "others' buffers are only read";
    }
  });
}

TEST(Collectives, Allgather) {
  for_all(Collective::allgather, [](Communicator& comm, std::size_t count) {
    Values expected;
    for (int rank = 0; rank < comm.size(); ++rank) {
      const Values block = inputs(rank, count);
      expected.insert(expected.end(), block.begin(), block.end());
    }
    Values receive(expected.size(), guard);
    comm.allgather(inputs(comm.rank(), count), receive);
    EXPECT_EQ(receive, expected);
    Values both(expected.size(), guard);
    const auto own = static_cast<std::ptrdiff_t>(count) * comm.rank();
    std::ranges::copy(inputs(comm.rank(), count), both.begin() + own);
    comm.allgather(both);
    EXPECT_EQ(both, expected);
  });
}

TEST(Collectives, ReduceScatter) {
  for_all(Collective::reduce_scatter, [](Communicator& comm, std::size_t count) {
    const std::size_t own = count * static_cast<std::size_t>(comm.rank());
    const std::size_t total = count * static_cast<std::size_t>(comm.size());
    const Values send = inputs(comm.rank(), total);
    Values receive(count, guard);
    comm.reduce_scatter(send, receive);
    EXPECT_EQ(receive, sums(comm.size(), count, own));
    EXPECT_EQ(send, inputs(comm.rank(), total));
    Values both = send;
    const std::span block = std::span(both).subspan(own, count);
    comm.reduce_scatter(both, block);
    EXPECT_EQ(Values(block.begin(), block.end()), receive);
  });
}

TEST(Collectives, BarrierHoldsBackEverybodyUntilTheLastOneCame) {
  for_all(Collective::barrier, [](Communicator& comm, std::size_t count) {
    if (count != 0) return;
    static std::atomic<int> arrived = 0;
    comm.barrier();
    if (comm.rank() == 0) arrived = 0;
    comm.barrier();
    ++arrived;
    comm.barrier();
    EXPECT_EQ(arrived, comm.size());
  });
}

TEST(Collectives, NonblockingOnesRunInOrder) {
  on_world(4, {}, [](Communicator& comm) {
    std::vector<Values> layers;
    for (std::size_t layer = 0; layer < 20; ++layer)
      layers.push_back(inputs(comm.rank(), 50 * layer));
    std::vector<Work> works;
    for (Values& layer : layers) works.push_back(comm.iallreduce(layer));
    Values blocking = inputs(comm.rank(), 9);
    comm.allreduce(blocking);  // waits for its turn
    for (std::size_t layer = 0; layer < layers.size(); ++layer) {
      works[layer].wait();
      EXPECT_TRUE(works[layer].done());
      EXPECT_EQ(layers[layer], sums(4, 50 * layer));
    }
    EXPECT_EQ(blocking, sums(4, 9));
    Work barrier = comm.ibarrier();
    EXPECT_TRUE(barrier.wait_for(std::chrono::seconds(60)));
    EXPECT_FALSE(barrier.error());
  });
}

TEST(Collectives, OneValue) {
  on_world(3, {}, [](Communicator& comm) {
    EXPECT_EQ(comm.allreduce_value(comm.rank() + 1), 6);
    EXPECT_EQ(comm.allreduce_value(0.5 * comm.rank(), Op::max), 1.0);
  });
}

TEST(Split, GroupsByColorAndOrdersByKey) {
  on_world(6, {}, [](Communicator& comm) {
    Communicator half = comm.split(comm.rank() % 2, -comm.rank());
    ASSERT_EQ(half.size(), 3);
    EXPECT_EQ(half.rank(), (5 - comm.rank()) / 2);
    const int sum = half.allreduce_value(comm.rank());
    EXPECT_EQ(sum, comm.rank() % 2 == 0 ? 6 : 9);
    Communicator twin = half.duplicate();
    Work slow = half.iallreduce(std::span<float>());
    EXPECT_EQ(twin.allreduce_value(1), 3);
    slow.wait();
    Communicator none = comm.split(comm.rank() == 3 ? 0 : -1, 0);
    EXPECT_EQ(static_cast<bool>(none), comm.rank() == 3);
    if (none) {
      EXPECT_EQ(none.allreduce_value(7), 7);
    }
    comm.barrier();
  });
}

}  // namespace
}  // namespace rondo
