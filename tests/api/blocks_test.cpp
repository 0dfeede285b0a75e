// gather, scatter, alltoall, scan and exscan: every algorithm × ranks × count × root, in place and
// out of place, between threads and between processes.

#include "api/inputs.hpp"

namespace rondo {
namespace {

using testing::append;
using testing::guard;
using testing::inputs;
using testing::on_every_world;
using testing::part;
using testing::put;
using testing::sums;
using testing::Values;

constexpr std::size_t counts_tried[] = {0, 1, 3, 101, 5'003};

std::size_t at(const Communicator& comm) {
  return static_cast<std::size_t>(comm.rank());
}
std::size_t ranks_of(const Communicator& comm) {
  return static_cast<std::size_t>(comm.size());
}

void on_every_count(Collective collective,
                    const std::function<void(Communicator&, std::size_t)>& body) {
  on_every_world(collective, is_supported, [&](Communicator& comm) {
    for (const std::size_t count : counts_tried) body(comm, count);
  });
}

TEST(Blocks, Gather) {
  on_every_count(Collective::gather, [](Communicator& comm, std::size_t count) {
    for (int root = 0; root < comm.size(); root += 2) {
      const bool is_root = comm.rank() == root;
      Values expected;
      for (int from = 0; from < comm.size(); ++from) append(expected, inputs(from, count));
      const Values send = inputs(comm.rank(), count);
      Values receive(is_root ? expected.size() : 2, guard);
      comm.gather(send, receive, root);
      EXPECT_EQ(receive, is_root ? expected : Values(2, guard));
      Values both = send;
      if (is_root) {
        both.assign(expected.size(), guard);
        put(both, count * at(comm), send);
      }
      comm.gather(both, root);
      EXPECT_EQ(both, is_root ? expected : send);
    }
  });
}

TEST(Blocks, Scatter) {
  on_every_count(Collective::scatter, [](Communicator& comm, std::size_t count) {
    for (int root = 0; root < comm.size(); root += 2) {
      const bool is_root = comm.rank() == root;
      const Values all = inputs(root, count * ranks_of(comm));
      const Values expected = part(all, count * at(comm), count);
      Values receive(count, guard);
      comm.scatter(is_root ? all : Values(), receive, root);
      EXPECT_EQ(receive, expected);
      Values both = is_root ? all : Values(count, guard);
      comm.scatter(both, root);
      EXPECT_EQ(both, is_root ? all : expected);
    }
  });
}

TEST(Blocks, Alltoall) {
  on_every_count(Collective::alltoall, [](Communicator& comm, std::size_t count) {
    const Values send = inputs(comm.rank(), count * ranks_of(comm));
    Values expected;
    for (int from = 0; from < comm.size(); ++from) {
      append(expected, inputs(from, count, count * at(comm)));
    }
    Values receive(send.size(), guard);
    comm.alltoall(send, receive);
    EXPECT_EQ(receive, expected);
    EXPECT_EQ(send, inputs(comm.rank(), send.size()));
    Values both = send;
    comm.alltoall(both);
    EXPECT_EQ(both, expected);
    both = send;
    comm.ialltoall(both).wait();
    EXPECT_EQ(both, expected);
  });
}

TEST(Blocks, Scan) {
  on_every_count(Collective::scan, [](Communicator& comm, std::size_t count) {
    const Values send = inputs(comm.rank(), count);
    Values receive(count, guard);
    comm.scan(send, receive);
    EXPECT_EQ(receive, sums(0, comm.rank(), count));
    EXPECT_EQ(send, inputs(comm.rank(), count));
    Values both = send;
    comm.scan(both);
    EXPECT_EQ(both, receive);
    both = send;
    comm.scan(both, Op::max);
    EXPECT_EQ(both, send) << "inputs grow with the rank";
  });
}

TEST(Blocks, Exscan) {
  on_every_count(Collective::exscan, [](Communicator& comm, std::size_t count) {
    const Values send = inputs(comm.rank(), count);
    Values receive(count, guard);
    comm.exscan(send, receive);
    EXPECT_EQ(receive, comm.rank() == 0 ? Values(count, guard) : sums(0, comm.rank() - 1, count));
    Values both = send;
    comm.exscan(both);
    EXPECT_EQ(both, comm.rank() == 0 ? send : receive);
    both = send;
    comm.exscan(both, Op::min);
    EXPECT_EQ(both, inputs(0, count)) << "rank 0 keeps its own, the others get rank 0's";
  });
}

}  // namespace
}  // namespace rondo
