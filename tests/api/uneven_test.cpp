// Blocks of different lengths: every schedule that serves them × ranks × counts, also empty ones,
// in place and out of place, side by side and apart, between threads and between processes.

#include <numeric>

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
using Numbers = std::vector<std::size_t>;

std::size_t at(const Communicator& comm) {
  return static_cast<std::size_t>(comm.rank());
}

std::size_t total(const Numbers& numbers) {
  return std::accumulate(numbers.begin(), numbers.end(), std::size_t{0});
}

Numbers side_by_side(const Numbers& counts) {
  Numbers begins(counts.size());
  std::exclusive_scan(counts.begin(), counts.end(), begins.begin(), std::size_t{0});
  return begins;
}

/// Blocks in reverse order, with gaps of two elements before, between and after them.
Numbers apart(const Numbers& counts) {
  Numbers begins(counts.size());
  std::size_t begin = 2;
  for (std::size_t r = counts.size(); r-- > 0;) {
    begins[r] = begin;
    begin += counts[r] + 2;
  }
  return begins;
}

/// All empty, one element each, growing, one only, empty ones in between, long ones.
std::vector<Numbers> counts_tried(int ranks) {
  std::vector<Numbers> all(6, Numbers(static_cast<std::size_t>(ranks)));
  for (std::size_t r = 0; r < static_cast<std::size_t>(ranks); ++r) {
    all[1][r] = 1;
    all[2][r] = 5 * r + 2;
    all[3][r] = r + 1 == static_cast<std::size_t>(ranks) ? 17 : 0;
    all[4][r] = r % 2 == 0 ? 0 : 9 * r;
    all[5][r] = 1'001 + 377 * r;
  }
  return all;
}

void on_every_count(Collective collective,
                    const std::function<void(Communicator&, const Numbers&)>& body) {
  on_every_world(collective, is_supported_uneven, [&](Communicator& comm) {
    for (const Numbers& counts : counts_tried(comm.size())) body(comm, counts);
  });
}

/// The blocks of all ranks at their places, and `guard` between them.
Values gathered(const Numbers& counts, const Numbers& begins, std::size_t size) {
  Values values(size, guard);
  for (std::size_t r = 0; r < counts.size(); ++r) {
    put(values, begins[r], inputs(static_cast<int>(r), counts[r]));
  }
  return values;
}

TEST(Uneven, Allgatherv) {
  on_every_count(Collective::allgather, [](Communicator& comm, const Numbers& counts) {
    const Values send = inputs(comm.rank(), counts[at(comm)]);
    const Values expected = gathered(counts, side_by_side(counts), total(counts));
    Values receive(expected.size(), guard);
    comm.allgatherv(send, receive, counts);
    EXPECT_EQ(receive, expected);
    Values both(expected.size(), guard);
    put(both, side_by_side(counts)[at(comm)], send);
    comm.allgatherv(both, counts);
    EXPECT_EQ(both, expected);
    const Values wide = gathered(counts, apart(counts), total(counts) + 2 * counts.size() + 2);
    receive.assign(wide.size(), guard);
    comm.allgatherv(send, receive, counts, apart(counts));
    EXPECT_EQ(receive, wide);
  });
}

TEST(Uneven, ReduceScatterv) {
  on_every_count(Collective::reduce_scatter, [](Communicator& comm, const Numbers& counts) {
    const std::size_t begin = side_by_side(counts)[at(comm)];
    const Values send = inputs(comm.rank(), total(counts));
    const Values expected = sums(0, comm.size() - 1, counts[at(comm)], begin);
    Values receive(counts[at(comm)], guard);
    comm.reduce_scatterv(send, receive, counts);
    EXPECT_EQ(receive, expected);
    EXPECT_EQ(send, inputs(comm.rank(), total(counts)));
    Values both = send;
    comm.reduce_scatterv(both, std::span(both).subspan(begin, counts[at(comm)]), counts);
    EXPECT_EQ(part(both, begin, counts[at(comm)]), expected);
    receive.assign(counts[at(comm)], guard);
    comm.ireduce_scatterv(send, receive, Numbers(counts), Op::max).wait();
    EXPECT_EQ(receive, inputs(comm.size() - 1, counts[at(comm)], begin));
  });
}

TEST(Uneven, Gatherv) {
  on_every_count(Collective::gather, [](Communicator& comm, const Numbers& counts) {
    for (int root = 0; root < comm.size(); root += 2) {
      const bool is_root = comm.rank() == root;
      const Values send = inputs(comm.rank(), counts[at(comm)]);
      const Values expected = gathered(counts, side_by_side(counts), total(counts));
      Values receive(is_root ? expected.size() : 2, guard);
      comm.gatherv(send, receive, root, is_root ? Counts(counts) : Counts());
      EXPECT_EQ(receive, is_root ? expected : Values(2, guard));
      Values both = is_root ? Values(expected.size(), guard) : send;
      if (is_root) put(both, side_by_side(counts)[at(comm)], send);
      comm.gatherv(both, root, counts);
      EXPECT_EQ(both, is_root ? expected : send);
      const Values wide = gathered(counts, apart(counts), total(counts) + 2 * counts.size() + 2);
      receive.assign(wide.size(), guard);
      comm.gatherv(send, receive, root, counts, apart(counts));
      EXPECT_EQ(receive, is_root ? wide : Values(wide.size(), guard));
    }
  });
}

TEST(Uneven, Scatterv) {
  on_every_count(Collective::scatter, [](Communicator& comm, const Numbers& counts) {
    for (int root = 0; root < comm.size(); root += 2) {
      const bool is_root = comm.rank() == root;
      const Values all = inputs(root, total(counts));
      const Values expected = part(all, side_by_side(counts)[at(comm)], counts[at(comm)]);
      Values receive(counts[at(comm)], guard);
      comm.scatterv(is_root ? all : Values(), receive, root, counts);
      EXPECT_EQ(receive, expected);
      Values both = is_root ? all : Values(counts[at(comm)], guard);
      comm.scatterv(both, root, counts);
      EXPECT_EQ(both, is_root ? all : expected);
      const Values wide = inputs(root, total(counts) + 2 * counts.size() + 2);
      receive.assign(counts[at(comm)], guard);
      comm.scatterv(wide, receive, root, counts, apart(counts));
      EXPECT_EQ(receive, part(wide, apart(counts)[at(comm)], counts[at(comm)]));
    }
  });
}

/// What rank `from` sends rank `to`.
std::size_t amount(int from, int to, std::size_t scale) {
  return static_cast<std::size_t>((3 * from + 5 * to) % 4) * scale;
}

void check_alltoallv(Communicator& comm, std::size_t scale) {
  Numbers given;
  Numbers got;
  for (int peer = 0; peer < comm.size(); ++peer) {
    given.push_back(amount(comm.rank(), peer, scale));
    got.push_back(amount(peer, comm.rank(), scale));
  }
  const Values send = inputs(comm.rank(), total(given) + 2 * given.size() + 2);
  // Where rank `from` keeps what it sends here.
  const auto block_of = [&](int from, Numbers (*place)(const Numbers&)) {
    Numbers theirs;
    for (int peer = 0; peer < comm.size(); ++peer) theirs.push_back(amount(from, peer, scale));
    return inputs(from, theirs[at(comm)], place(theirs)[at(comm)]);
  };
  Values expected;
  Values wide(total(got) + 2 * got.size() + 2, guard);
  for (int from = 0; from < comm.size(); ++from) {
    append(expected, block_of(from, side_by_side));
    put(wide, apart(got)[static_cast<std::size_t>(from)], block_of(from, apart));
  }
  Values receive(total(got), guard);
  comm.alltoallv(part(send, 0, total(given)), {given}, receive, {got});
  EXPECT_EQ(receive, expected);
  Values spread(wide.size(), guard);
  const Numbers from_places = apart(given);
  const Numbers to_places = apart(got);
  comm.alltoallv(send, {given, from_places}, spread, {got, to_places});
  EXPECT_EQ(spread, wide);
}

/// In place, as much comes from a rank as goes there.
void check_alltoallv_in_place(Communicator& comm, std::size_t scale) {
  const auto shared = [&](int a, int b) { return static_cast<std::size_t>((a + b) % 3) * scale; };
  Numbers counts;
  for (int peer = 0; peer < comm.size(); ++peer) counts.push_back(shared(comm.rank(), peer));
  Values expected;
  for (int from = 0; from < comm.size(); ++from) {
    Numbers theirs;
    for (int peer = 0; peer < comm.size(); ++peer) theirs.push_back(shared(from, peer));
    append(expected, inputs(from, theirs[at(comm)], side_by_side(theirs)[at(comm)]));
  }
  Values both = inputs(comm.rank(), total(counts));
  comm.alltoallv(both, {counts});
  EXPECT_EQ(both, expected);
}

TEST(Uneven, Alltoallv) {
  on_every_world(Collective::alltoall, is_supported_uneven, [](Communicator& comm) {
    for (const std::size_t scale : {0u, 1u, 7u, 2'003u}) {
      check_alltoallv(comm, scale);
      check_alltoallv_in_place(comm, scale);
    }
  });
}

TEST(Uneven, OnlySchedulesThatNeedNoOtherLengthsServeThem) {
  EXPECT_TRUE(is_supported_uneven(Algorithm::ring, Collective::allgather));
  EXPECT_TRUE(is_supported_uneven(Algorithm::ring, Collective::reduce_scatter));
  EXPECT_TRUE(is_supported_uneven(Algorithm::one_shot, Collective::gather));
  EXPECT_TRUE(is_supported_uneven(Algorithm::pairwise, Collective::alltoall));
  EXPECT_FALSE(is_supported_uneven(Algorithm::bruck, Collective::alltoall));
  EXPECT_FALSE(is_supported_uneven(Algorithm::knomial, Collective::gather));
  EXPECT_FALSE(is_supported_uneven(Algorithm::ring, Collective::allreduce));
}

}  // namespace
}  // namespace rondo
