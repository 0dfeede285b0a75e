// Publications: when the bytes are written, and when their room is used again.

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "transport/processes.hpp"
#include "transport/shm/mailbox.hpp"
#include "transport/shm/publisher.hpp"

namespace rondo::process {
namespace {

constexpr std::size_t readers = 3;

class PublisherTest : public ::testing::Test {
 protected:
  PublisherTest() { publisher_.attach(*segment_, readers); }

  // The answers to one publication after the other.
  Publisher::Piece* join(std::uint64_t publication, std::size_t size) {
    return publisher_.join(transfer(publication, size), operation_);
  }
  Publisher::Piece* lend(std::uint64_t publication, std::size_t size, std::size_t misfit) {
    return publisher_.lend(transfer(publication, size), operation_, misfit);
  }
  // To all readers.
  void announce(std::uint64_t publication, std::size_t size) {
    for (std::size_t i = 0; i < readers; ++i) {
      Publisher::Piece* const piece = join(publication, size);
      ASSERT_NE(piece, nullptr) << publication;
      publisher_.announce(*piece, inboxes_[i], ++lines_[i]);
    }
  }
  void take(std::size_t reader, std::uint32_t lines) { inboxes_[reader].taken += lines; }
  // So many publications of 32 KiB as there is room for.
  std::uint64_t fill(std::uint64_t first) {
    std::uint64_t next = first;
    while (join(next, large) != nullptr) announce(next++, large);
    for (std::size_t i = 1; i < readers; ++i) EXPECT_EQ(join(next, large), nullptr);
    return next - first;
  }

  static constexpr std::size_t large = 32 << 10;
  MemoryBudget budget_;
  std::unique_ptr<Segment> segment_ = Segment::make(MemoryBudget::usual).value();
  Publisher publisher_{budget_};
  std::array<Inbox, readers> inboxes_ = {};
  std::array<std::uint32_t, readers> lines_ = {};
  Operation operation_ = make_operation(1, 1, Call{});

 private:
  Transfer& transfer(std::uint64_t publication, std::size_t size) {
    transfer_.publication = publication;
    transfer_.size = size;
    transfer_.readers = readers;
    return transfer_;
  }

  Transfer transfer_;
};

TEST_F(PublisherTest, all_sends_of_a_publication_have_the_same_bytes) {
  Publisher::Piece* const first = join(1, 1000);
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(first->written, 0u);
  EXPECT_EQ(first->bytes, segment_->at(first->offset));
  first->written = 1000;
  publisher_.announce(*first, inboxes_[0], 1);
  Publisher::Piece* const other = join(2, 1000);
  EXPECT_GE(other->bytes, first->bytes + 1000);
  EXPECT_EQ(join(1, 1000), first);
  EXPECT_EQ(first->written, 1000u);
  renumber(operation_, 2);
  EXPECT_NE(join(1, 1000), first) << "another operation";
}

TEST_F(PublisherTest, room_is_used_again_when_the_slowest_reader_has_taken_it) {
  const std::uint64_t count = fill(1);
  ASSERT_GT(count, 4u);
  take(0, lines_[0]);
  take(1, lines_[1]);
  take(2, 1);
  EXPECT_EQ(fill(100), 1u);
  take(2, 2);
  EXPECT_EQ(fill(200), 2u);
  take(2, lines_[2] - 3);
  take(0, 3);
  EXPECT_EQ(fill(300), count - 3) << "the last three are not read by reader 1";
}

TEST_F(PublisherTest, a_reader_that_is_gone_is_not_waited_for) {
  const std::uint64_t count = fill(1);
  take(0, lines_[0]);
  take(1, lines_[1]);
  EXPECT_EQ(fill(100), 0u);
  publisher_.forget(inboxes_[2]);
  EXPECT_EQ(fill(200), count);
}

TEST_F(PublisherTest, room_is_kept_for_sends_that_are_to_come_in_the_same_operation) {
  const Publisher::Piece* const first = join(1, large);
  const std::uint64_t count = fill(2);
  for (std::size_t i = 0; i < readers; ++i) take(i, lines_[i]);
  EXPECT_EQ(fill(100), 0u) << "nobody has announced the first one";
  EXPECT_EQ(join(1, large), first);
  renumber(operation_, 2);
  EXPECT_EQ(fill(1), count + 1);
}

TEST_F(PublisherTest, without_room_all_sends_go_by_themselves) {
  fill(1);
  for (std::size_t i = 0; i < readers; ++i) {
    EXPECT_EQ(join(1000, large), nullptr);
    take(i, lines_[i]);  // too late
  }
  EXPECT_NE(join(1001, large), nullptr);
  EXPECT_EQ(join(1002, Publisher::most_ring_bytes), nullptr) << "too large for ever";
}

TEST_F(PublisherTest, room_is_lent_before_others_have_asked) {
  Publisher::Piece* const piece = lend(1, 5000, 24);
  ASSERT_NE(piece, nullptr);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(piece->bytes) % 64, 24u);
  EXPECT_EQ(join(1, 5000), piece);
  EXPECT_EQ(lend(1, 5000, 24), nullptr);
  Publisher::Piece* const next = join(2, 100);
  EXPECT_GE(next->bytes, piece->bytes + 5000);
  fill(3);
  EXPECT_EQ(lend(1000, large, 0), nullptr);
}

TEST_F(PublisherTest, memory_is_taken_at_first_use_and_given_back) {
  const std::size_t before = budget_.left();
  {
    Publisher publisher(budget_);
    Transfer transfer;
    transfer.publication = 1;
    transfer.readers = 2;
    transfer.size = 1000;
    EXPECT_EQ(publisher.join(transfer, operation_), nullptr) << "no segment";
    publisher.attach(*segment_, 2);
    EXPECT_EQ(budget_.left(), before);
    EXPECT_NE(publisher.join(transfer, operation_), nullptr);
    EXPECT_LT(budget_.left(), before);
    EXPECT_GE(budget_.left(), before - Publisher::most_ring_bytes);
  }
  EXPECT_EQ(budget_.left(), before);
  while (budget_.left() > 0) ASSERT_GE(budget_.take(1, 1 << 10, 1 << 20), 1u << 10);
  EXPECT_EQ(join(1, 1000), nullptr) << "nothing is left";
}

TEST(MemoryBudget, a_quarter_is_only_taken_of_much) {
  MemoryBudget budget;
  EXPECT_EQ(budget.take_quarter(1 << 10, 64 << 10), 64u << 10);
  const std::size_t before = budget.left();
  EXPECT_EQ(budget.take_quarter(1 << 10, MemoryBudget::usual), before / 4);
  EXPECT_EQ(budget.left(), before - before / 4);
  while (budget.left() >= 4 << 10) ASSERT_GT(budget.take_quarter(1 << 10, 1 << 20), 0u);
  const std::size_t left = budget.left();
  EXPECT_EQ(budget.take_quarter(1 << 10, 1 << 20), 0u);
  EXPECT_EQ(budget.left(), left);
}

TEST(MemoryBudget, nobody_goes_without_what_is_needed_and_all_comes_back) {
  MemoryBudget budget;
  std::size_t taken = 0;
  while (budget.left() > 0) taken += budget.take(3, 10 << 10, 1 << 20);
  EXPECT_GE(taken, budget.whole());
  for (int i = 0; i < 1000; ++i) {
    ASSERT_EQ(budget.take(3, 10 << 10, 1 << 20), 10u << 10);
    taken += 10 << 10;
  }
  EXPECT_EQ(budget.left(), 0u);
  budget.give_back(taken);
  EXPECT_EQ(budget.left(), budget.whole());
}

// Threads have one mapping of a segment: what two of them borrow is the same memory.
// How many of the pages of this memory there are.
std::size_t pages_of(const Mapping& mapping) {
  std::vector<unsigned char> states(mapping.bytes() / whole_pages(1));
  EXPECT_EQ(::mincore(mapping.data(), mapping.bytes(), states.data()), 0);
  return static_cast<std::size_t>(
      std::count_if(states.begin(), states.end(), [](unsigned char s) { return (s & 1) != 0; }));
}

TEST(Populate, gives_pages_to_what_it_is_told_of_and_to_no_more) {
  const std::size_t page = whole_pages(1);
  const Descriptor memory = make_memory(8 * page).value();
  const std::shared_ptr<Mapping> own = map_memory(memory, 8 * page, true).value();
  populate(own->data(), 1, true);
  if (pages_of(*own) == 0) GTEST_SKIP() << "this system cannot";
  EXPECT_EQ(pages_of(*own), 1u);
  populate(own->data() + 2 * page + 100, 2 * page, true);
  EXPECT_EQ(pages_of(*own), 1u + 3u);
  const std::shared_ptr<Mapping> others = map_memory(memory, 8 * page, false).value();
  populate(others->data() + 2 * page, 3 * page, false);
  EXPECT_EQ(pages_of(*own), 1u + 3u);
}

TEST(Publication, is_written_once) {
  const Transports world = make_world(3, Medium::shm);
  constexpr std::size_t bytes = 10'000;
  std::vector<std::byte> memory(bytes, std::byte{7});
  std::array<const std::byte*, 3> found = {};
  std::atomic<int> borrowed = 0;
  on_all_ranks(3, [&](int rank) {
    Transport& transport = *world[rank];
    std::array<Transfer, 2> transfers;
    std::vector<Link> links;
    for (const int peer : {1, 2}) {
      Transfer& transfer = transfers[peer - 1];
      transfer.kind = rank == 0 ? Transfer::Kind::send : Transfer::Kind::recv;
      transfer.link = {rank == 0 ? peer : 0, 0};
      transfer.data = rank == 0 ? memory.data() : nullptr;
      transfer.size = bytes;
      transfer.borrow = rank != 0;
      transfer.publication = 1;
      transfer.readers = 2;
      if (links.empty() || rank == 0) links.push_back(transfer.link);
    }
    ASSERT_TRUE(transport.begin(1, allreduce_of(1), links).ok());
    for (std::size_t i = 0; i < links.size(); ++i) transport.post(transfers[i]);
    for (std::size_t i = 0; i < links.size(); ++i) {
      while (transfers[i].state != Transfer::State::done) {
        ASSERT_TRUE(transport.poll(std::chrono::milliseconds(1)).ok());
      }
    }
    if (rank == 0) return;
    found[rank] = transfers[0].data;
    EXPECT_EQ(std::count(found[rank], found[rank] + bytes, std::byte{7}), std::ptrdiff_t{bytes});
    for (++borrowed; borrowed < 2;) std::this_thread::yield();
    EXPECT_TRUE(transport.release(transfers[0]));
  });
  EXPECT_EQ(found[1], found[2]);
}

}  // namespace
}  // namespace rondo::process
