// The formats of the wire, and the graph over which notices spread.

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <algorithm>
#include <set>
#include <vector>

#include "transport/control/control_link.hpp"
#include "transport/control/endpoint.hpp"
#include "transport/control/frame.hpp"
#include "transport/control/pigeonholes.hpp"
#include "transport/control/seen.hpp"
#include "transport/tcp/lending.hpp"

namespace rondo::process {
namespace {

TEST(Wire, every_flipped_bit_of_a_frame_is_noticed) {
  Frame frame = make_frame(7, 3, {Collective::allreduce, DType::f32, Op::sum, 0, 1000, 99});
  stamp(frame, 2, 5, 4000);
  ASSERT_TRUE(is_sound(frame));
  for (std::size_t bit = 0; bit < sizeof frame * 8; ++bit) {
    auto bytes = std::bit_cast<std::array<unsigned char, sizeof(Frame)>>(frame);
    bytes[bit / 8] ^= static_cast<unsigned char>(1u << (bit % 8));
    EXPECT_FALSE(is_sound(std::bit_cast<Frame>(bytes))) << "bit " << bit;
  }
}

TEST(Wire, a_frame_says_what_was_called) {
  const Call call = {Collective::reduce, DType::bf16, Op::avg, 3, 12345678901, 42};
  EXPECT_EQ(make_frame(1, 1, call).call(), call);
}

TEST(Wire, notices_that_make_no_sense_are_refused) {
  Notice notice;
  ASSERT_TRUE(is_sound(notice, 4));
  const auto refuses = [&](auto change) {
    Notice changed = notice;
    change(changed);
    return !is_sound(changed, 4);
  };
  EXPECT_TRUE(refuses([](Notice& n) { n.magic ^= 1; }));
  EXPECT_TRUE(refuses([](Notice& n) { n.kind = static_cast<Notice::Kind>(99); }));
  EXPECT_TRUE(refuses([](Notice& n) { n.code = static_cast<ErrorCode>(99); }));
  EXPECT_TRUE(refuses([](Notice& n) { n.origin = 4; }));
  EXPECT_TRUE(refuses([](Notice& n) { n.origin = -1; }));
  EXPECT_TRUE(refuses([](Notice& n) { n.culprit = 4; }));
  EXPECT_TRUE(refuses([](Notice& n) { n.body_size = Notice::body_bytes + 1; }));
  EXPECT_TRUE(refuses([](Notice& n) {
    n.kind = Notice::Kind::testimony;
    n.body_size = Notice::body_bytes / sizeof(int) + 1;
  }));
}

TEST(Wire, notices_hold_what_fits_and_cut_the_rest) {
  Notice notice;
  notice.set_text("rank 2 stopped");
  EXPECT_EQ(notice.text(), "rank 2 stopped");
  notice.set_text(std::string(2000, 'x'));
  EXPECT_EQ(notice.text(), std::string(Notice::body_bytes, 'x'));
  notice.set_ranks(std::vector{3, 1, 4});
  EXPECT_EQ(notice.ranks(), (std::vector{3, 1, 4}));
  notice.set_ranks(std::vector<int>(1000, 5));
  EXPECT_EQ(notice.ranks(), std::vector<int>(Notice::body_bytes / sizeof(int), 5));
}

TEST(Wire, tokens_are_the_same_only_when_all_bytes_are) {
  Token token = {};
  for (std::size_t i = 0; i < token.size(); ++i) {
    Token other = token;
    other[i] ^= std::byte{0x80};
    EXPECT_FALSE(same_bits(token, other));
  }
  EXPECT_TRUE(same_bits(token, Token{}));
}

int hops_to_all(int size) {
  std::set<int> reached = {0};
  int hops = 0;
  for (; static_cast<int>(reached.size()) < size; ++hops) {
    const std::set<int> before = reached;
    for (const int rank : before) {
      for (const int next : neighbours(rank, size)) reached.insert(next);
    }
    if (reached.size() == before.size()) return -1;
  }
  return hops;
}

TEST(Wire, notices_reach_everybody_in_few_hops_over_mutual_links) {
  for (int size = 1; size <= 300; ++size) {
    int log = 0;
    while ((1 << log) < size) ++log;
    const int hops = hops_to_all(size);
    ASSERT_GE(hops, 0) << size;
    EXPECT_LE(hops, std::max(1, log)) << size;
    for (int rank = 0; rank < size; ++rank) {
      const std::vector<int> peers = neighbours(rank, size);
      EXPECT_LE(peers.size(), std::max(8u, 2u * static_cast<unsigned>(log)));
      for (const int peer : peers) {
        EXPECT_NE(peer, rank);
        const std::vector<int> theirs = neighbours(peer, size);
        EXPECT_NE(std::find(theirs.begin(), theirs.end(), rank), theirs.end());
      }
    }
  }
}

TEST(Wire, every_id_is_taken_once_in_any_order) {
  SeenIds seen;
  EXPECT_FALSE(seen.take(0));  // ids count from 1
  for (const std::uint64_t id : {1, 2, 5, 4, 3, 200, 7, 201, 6}) EXPECT_TRUE(seen.take(id)) << id;
  for (const std::uint64_t id : {1, 2, 3, 4, 5, 6, 7, 200, 201}) EXPECT_FALSE(seen.take(id)) << id;
  EXPECT_TRUE(seen.take(8));
}

TEST(Wire, an_id_far_behind_the_newest_counts_as_taken) {
  for (const std::uint64_t jump : {std::uint64_t{SeenIds::window}, std::uint64_t{1} << 40}) {
    SeenIds seen;
    EXPECT_TRUE(seen.take(2));
    EXPECT_TRUE(seen.take(2 + jump));
    EXPECT_FALSE(seen.take(1));
    EXPECT_FALSE(seen.take(2));
    EXPECT_TRUE(seen.take(3 + jump - SeenIds::window));
    EXPECT_FALSE(seen.take(2 + jump - SeenIds::window));
  }
}

Notice leave_of(std::uint64_t context) {
  Notice notice;
  notice.kind = Notice::Kind::leave;
  notice.context = context;
  return notice;
}

std::array<Socket, 2> connected_pair() {
  int ends[2] = {-1, -1};
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
  return {Socket(ends[0]), Socket(ends[1])};
}

TEST(Wire, a_link_that_is_replaced_loses_no_notice) {
  auto [first, first_peer] = connected_pair();
  auto [second, second_peer] = connected_pair();
  ControlLink link(1, std::move(first));
  Notice notice;
  while (notice.id < 100'000 && !link.has_unsent()) {
    ++notice.id;
    link.send(notice);
  }
  ASSERT_TRUE(link.has_unsent());
  ++notice.id;
  link.send(notice);
  link.replace(std::move(second));
  EXPECT_FALSE(link.has_unsent());
  std::uint64_t expected = 1;
  for (Socket* const socket : {&first_peer, &second_peer}) {
    ControlLink reader(0, std::move(*socket));
    for (Notice received; reader.receive(received); ++expected) EXPECT_EQ(received.id, expected);
  }
  EXPECT_EQ(expected, notice.id + 1);
}

TEST(Wire, what_comes_early_is_kept_for_a_communicator) {
  Pigeonholes holes(4);
  holes.put(7, leave_of(7));
  holes.put(8, leave_of(8));
  holes.put(7, leave_of(7));
  Notice lost;
  lost.kind = Notice::Kind::lost;
  const auto hole = holes.attach(7, -1, {lost});
  EXPECT_TRUE(hole->filled);
  ASSERT_EQ(hole->news.notices.size(), 3u);
  EXPECT_EQ(hole->news.notices.back().kind, Notice::Kind::lost);
}

TEST(Wire, communicators_of_others_take_bounded_memory) {
  Pigeonholes holes(4);
  for (std::uint64_t context = 1; context <= 100'000; ++context) {
    holes.put(context, leave_of(context));
  }
  EXPECT_LT(holes.size(), 2000u);
  EXPECT_EQ(holes.attach(100'000, -1, {})->news.notices.size(), 1u);
  for (int claim = 0; claim < 100'000; ++claim) holes.put(5, leave_of(5));
  EXPECT_LE(holes.size(), 2u);
  EXPECT_LT(holes.attach(5, -1, {})->news.notices.size(), 2000u);
}

TEST(Wire, closed_communicators_get_nothing_more) {
  Pigeonholes holes(4);
  const std::uint64_t count = 3 * Pigeonholes::most_closed;
  for (std::uint64_t context = 1; context <= count; ++context) {
    (void)holes.attach(context, -1, {});
    holes.close(context);
    holes.put(context, leave_of(context));
    EXPECT_TRUE(holes.is_closed(context));
  }
  EXPECT_EQ(holes.size(), 0u);
  EXPECT_FALSE(holes.is_closed(1));  // nobody has spoken of it for long
}

TEST(Wire, buffers_that_come_back_are_lent_again) {
  Lending lending;
  std::byte* const first = lending.lend(1000);
  std::byte* const second = lending.lend(1000);
  EXPECT_NE(first, second);
  lending.take_back(first);
  EXPECT_EQ(lending.lend(10), first);
  EXPECT_NE(lending.lend(1000), second);
  lending.take_back(nullptr);
  EXPECT_NE(lending.lend(0), nullptr);
}

TEST(Wire, idle_buffers_make_way_for_one_that_none_of_them_can_replace) {
  Lending lending;
  std::vector<std::byte*> lent;
  for (std::size_t i = 0; i < 3 * Lending::most_idle; ++i) lent.push_back(lending.lend(100 + i));
  for (std::byte* const data : lent) lending.take_back(data);
  EXPECT_EQ(lending.idle(), lent.size());  // as many may be needed at once again
  lending.take_back(lending.lend(1 << 20));
  EXPECT_LE(lending.idle(), Lending::most_idle);
}

}  // namespace
}  // namespace rondo::process
