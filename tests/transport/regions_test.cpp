// Memory of rondo::allocate(): what it is, and that ranks read messages in it where it is.

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <functional>
#include <numeric>
#include <thread>
#include <vector>

#include "rondo/memory.hpp"
#include "transport/forbid.hpp"
#include "transport/processes.hpp"
#include "transport/shm/mailbox.hpp"
#include "transport/shm/shared_memory.hpp"

namespace rondo::process {
namespace {

template <class T>
using Shared = std::vector<T, Allocator<T>>;

TEST(Regions, memory_is_zero_and_begins_with_a_page) {
  for (const std::size_t bytes : {0u, 1u, 4096u, 100000u}) {
    auto* const memory = static_cast<std::byte*>(allocate(bytes));
    ASSERT_NE(memory, nullptr);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(memory) % 4096, 0u);
    EXPECT_TRUE(std::all_of(memory, memory + bytes, [](std::byte b) { return b == std::byte{}; }));
    if (bytes > 0) std::memset(memory, 1, bytes);
    deallocate(memory);
  }
  deallocate(nullptr);
}

TEST(Regions, more_than_there_is_is_an_error) {
  EXPECT_THROW((void)allocate(std::size_t{1} << 62), Error);
  EXPECT_THROW((void)Allocator<double>().allocate(std::size_t{1} << 62), std::bad_alloc);
}

TEST(Regions, only_what_lies_in_one_is_found) {
  Regions regions;
  const std::byte* const memory = regions.allocate(10000).value();
  const std::size_t whole = whole_pages(10000);
  EXPECT_TRUE(regions.find(memory, whole));
  EXPECT_TRUE(regions.find(memory + 5, whole - 5));
  EXPECT_TRUE(regions.find(memory + whole, 0));
  EXPECT_FALSE(regions.find(memory + 1, whole));
  EXPECT_FALSE(regions.find(memory - 1, 1));
  const Bits128 id = regions.find(memory, 1)->id;
  EXPECT_TRUE(regions.find(id));
  regions.deallocate(memory);
  EXPECT_FALSE(regions.find(memory, 1));
  EXPECT_FALSE(regions.find(id));
}

TEST(Regions, only_what_was_allocated_is_given_back) {
  Regions regions;
  std::byte* const memory = regions.allocate(10000).value();
  std::vector<std::byte> own(10000, std::byte{7});
  ASSERT_TRUE(regions.register_memory(own.data(), own.size()).ok());
  auto* const shared = own.data() + -reinterpret_cast<std::uintptr_t>(own.data()) % whole_pages(1);
  ASSERT_TRUE(regions.find(shared, 1));
  for (const std::byte* other : {memory + 4096, memory + 1, own.data(), shared}) {
    regions.deallocate(other);
    EXPECT_TRUE(regions.find(memory, 10000));
    EXPECT_TRUE(regions.find(shared, 1));
  }
  EXPECT_EQ(own, std::vector<std::byte>(10000, std::byte{7}));
  EXPECT_TRUE(regions.deregister_memory(own.data()).ok());
  regions.deallocate(memory);
  regions.deallocate(memory);
  EXPECT_FALSE(regions.find(memory, 1));
}

TEST(Regions, both_sides_of_a_talk_keep_the_same) {
  Regions regions;
  int ends[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
  RegionTalk teller{Descriptor(ends[0])};
  RegionTalk hearer{Descriptor(ends[1])};
  std::vector<std::shared_ptr<const Region>> all;
  for (std::size_t i = 0; i < 3 * RegionTalk::most_kept; ++i) {
    auto* const memory = regions.allocate(1).value();
    memory[0] = static_cast<std::byte>(i);
    all.push_back(regions.find(memory, 1));
  }
  // Back and forth, so that some are still kept and others have been forgotten.
  for (const std::size_t step : {1, 7, 64, 65, 100}) {
    for (std::size_t i = 0; i < 2 * all.size(); ++i) {
      const std::size_t which = i * step % all.size();
      ASSERT_TRUE(teller.tell(*all[which]));
      const auto mapping = hearer.find(all[which]->id);
      ASSERT_TRUE(mapping) << i << " of step " << step;
      ASSERT_EQ(mapping->data()[0], static_cast<std::byte>(which));
    }
  }
  EXPECT_FALSE(hearer.find(Bits128{}));
}

// One message each way, in memory that both can read in place.
std::optional<Error> swap_shared(Transport& transport, std::uint64_t sequence, std::size_t offset,
                                 std::size_t bytes, bool to_private) {
  const Link link{1 - transport.rank(), 0};
  Shared<std::byte> sent(offset + bytes, static_cast<std::byte>(sequence + transport.rank()));
  Shared<std::byte> shared(to_private ? 0 : bytes);
  std::vector<std::byte> own(to_private ? bytes : 0);
  std::byte* const received = to_private ? own.data() : shared.data();
  auto error = carry_out(transport, sequence, allreduce_of(bytes),
                         {{Transfer::Kind::send, link, sent.data() + offset, bytes},
                          {Transfer::Kind::recv, link, received, bytes}});
  if (error) return error;
  const auto expected = static_cast<std::byte>(sequence + 1 - transport.rank());
  const bool right =
      std::all_of(received, received + bytes, [&](std::byte b) { return b == expected; });
  if (!right) return Error(ErrorCode::protocol, link.peer, "wrong bytes");
  return std::nullopt;
}

// More regions than are kept, each freed after its operation.
std::optional<Error> swap_often(Transport& transport) {
  std::uint64_t sequence = 0;
  for (const std::size_t bytes :
       {std::size_t{1000}, Mailbox::least_in_place, std::size_t{3} << 20}) {
    for (const std::size_t offset : {0, 64, 4099}) {
      for (const bool to_private : {false, true}) {
        auto error = swap_shared(transport, ++sequence, offset, bytes, to_private);
        if (error) return error;
      }
    }
  }
  for (std::size_t i = 0; i < 2 * RegionTalk::most_kept; ++i) {
    if (auto error = swap_shared(transport, ++sequence, i, 50000, false)) return error;
  }
  return std::nullopt;
}

TEST(Regions, messages_arrive_between_threads_and_between_processes) {
  expect_fine_between_two(swap_often);
}

TEST(Regions, a_forked_child_that_drops_its_copies_takes_nothing_from_its_parent) {
  const std::size_t bytes = 100'000;
  Transports world = make_world(2, Medium::shm);
  const auto swap = [&](std::uint64_t sequence) {
    on_all_ranks(2, [&](int rank) {
      const auto error = swap_shared(*world[rank], sequence, 0, bytes, false);
      EXPECT_FALSE(error) << error->text();
    });
  };
  swap(1);
  auto* const memory = static_cast<std::byte*>(allocate(bytes));
  std::memset(memory, 7, bytes);
  const pid_t child = ::fork();
  if (child == 0) {
    const bool is_mine = Regions::of_process().find(memory, bytes) != nullptr;
    deallocate(memory);
    world.clear();
    ::_exit(is_mine ? 1 : 0);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(std::all_of(memory, memory + bytes, [](std::byte b) { return b == std::byte{7}; }));
  swap(2);
  deallocate(memory);
}

// Rank 0 has begun to send the memory, and rank 1 to receive it where it lies.
Result<> lend_to_rank_1(Transport& transport, Transfer& transfer, Shared<std::byte>& memory) {
  const int rank = transport.rank();
  transfer.kind = rank == 0 ? Transfer::Kind::send : Transfer::Kind::recv;
  transfer.link = {1 - rank, 0};
  transfer.data = rank == 0 ? memory.data() : nullptr;
  transfer.size = memory.size();
  transfer.borrow = rank == 1;
  const std::array<Link, 1> links = {transfer.link};
  Result<> begun = transport.begin(1, allreduce_of(1), links);
  if (begun) transport.post(transfer);
  return begun;
}

// A borrow sees the sender's own memory: nothing was copied.
TEST(Regions, a_borrow_reads_the_senders_memory) {
  const Transports world = make_world(2, Medium::shm);
  Shared<std::byte> memory(5 << 20, std::byte{7});
  std::array<Transfer, 2> transfers;
  on_all_ranks(2, [&](int rank) {
    Transport& transport = *world[rank];
    Transfer& transfer = transfers[rank];
    ASSERT_TRUE(lend_to_rank_1(transport, transfer, memory).ok());
    while (transfer.state != Transfer::State::done) {
      ASSERT_TRUE(transport.poll(std::chrono::milliseconds(1)).ok());
      if (rank == 0) continue;
      ASSERT_NE(transfer.state, Transfer::State::part);
    }
    if (rank == 0) return;
    EXPECT_EQ(transfer.data, memory.data()) << "threads have one mapping of it";
    EXPECT_NE(transfers[0].state, Transfer::State::done) << "before the release";
    EXPECT_TRUE(transport.release(transfer));
  });
  EXPECT_EQ(transfers[0].state, Transfer::State::done);
}

// Whoever gives up has its memory back: nobody gets what it writes there afterwards.
TEST(Regions, memory_that_was_taken_back_is_not_read) {
  for (int repeat = 0; repeat < 20; ++repeat) {
    const Transports world = make_world(2, Medium::shm);
    on_all_ranks(2, [&](int rank) {
      Transport& transport = *world[rank];
      ASSERT_FALSE(exchange(transport, 1, allreduce_of(1), 10));
      Shared<std::byte> memory(8 << 20, std::byte{1});
      const Link link{1 - rank, 0};
      const auto timeout = std::chrono::milliseconds(rank == 0 ? 1 + repeat : 60'000);
      const auto kind = rank == 0 ? Transfer::Kind::send : Transfer::Kind::recv;
      if (rank == 1) std::this_thread::sleep_for(std::chrono::milliseconds(repeat));
      const auto error = carry_out(transport, 2, allreduce_of(1),
                                   {{kind, link, memory.data(), memory.size()}}, timeout);
      if (rank == 0) {
        std::fill(memory.begin(), memory.end(), std::byte{2});
      } else if (!error) {
        EXPECT_EQ(std::count(memory.begin(), memory.end(), std::byte{1}), memory.size());
      }
    });
  }
}

// A reader that was stopped for too long finds out when it goes on.
TEST(Regions, a_borrow_of_what_was_taken_back_is_noticed) {
  const Transports world = make_world(2, Medium::shm);
  Shared<std::byte> memory(1 << 20, std::byte{7});
  std::array<Transfer, 2> transfers;
  std::atomic<bool> is_borrowed = false;
  std::atomic<bool> is_taken_back = false;
  on_all_ranks(2, [&](int rank) {
    Transport& transport = *world[rank];
    Transfer& transfer = transfers[rank];
    ASSERT_TRUE(lend_to_rank_1(transport, transfer, memory).ok());
    if (rank == 0) {
      while (!is_borrowed) ASSERT_TRUE(transport.poll(std::chrono::milliseconds(1)).ok());
      transport.cancel();
      is_taken_back = true;
      return;
    }
    while (transfer.state != Transfer::State::done) {
      ASSERT_TRUE(transport.poll(std::chrono::milliseconds(1)).ok());
    }
    is_borrowed = true;
    while (!is_taken_back) std::this_thread::yield();
    EXPECT_FALSE(transport.release(transfer));
  });
}

// Rank 1 has no descriptor left for what rank 0 shares.
std::optional<Error> send_to_who_cannot_map(Transport& transport) {
  const std::size_t bytes = Mailbox::least_in_place;
  const Link link{1 - transport.rank(), 0};
  if (auto error = swap_shared(transport, 1, 0, 8, false)) return error;  // opens the link
  if (transport.rank() == 1) {
    const rlimit none = {3, 3};
    if (::setrlimit(RLIMIT_NOFILE, &none) != 0) return Error(ErrorCode::io, "no limit");
  }
  std::vector<std::byte> received(bytes);
  for (std::uint64_t sequence = 2; sequence < 6; ++sequence) {
    const auto sent = static_cast<std::byte>(sequence);
    std::optional<Error> error;
    if (transport.rank() == 0) {
      const Shared<std::byte> memory(bytes, sent);
      error =
          carry_out(transport, sequence, allreduce_of(bytes),
                    {{Transfer::Kind::send, link, const_cast<std::byte*>(memory.data()), bytes}});
    } else {
      error = carry_out(transport, sequence, allreduce_of(bytes),
                        {{Transfer::Kind::recv, link, received.data(), bytes}});
    }
    if (error) return error;
    const bool is_right =
        transport.rank() == 0 || std::count(received.begin(), received.end(), sent) == bytes;
    if (!is_right) return Error(ErrorCode::protocol, link.peer, "wrong bytes");
  }
  return std::nullopt;
}

TEST(Regions, what_the_receiver_cannot_map_is_copied) {
  const ProcessWorld world(2, send_to_who_cannot_map, {}, Medium::shm);
  for (int rank = 0; rank < 2; ++rank) {
    ASSERT_EQ(world.read_line(rank), "formed");
    EXPECT_EQ(world.read_line(rank), "fine");
  }
}

// Runs in a process of its own and says whether all was well.
bool child_finds(const std::function<bool()>& body) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(body() ? 0 : 1);
  int status = -1;
  return ::waitpid(child, &status, 0) == child && status == 0;
}

TEST(Regions, without_memory_to_share_there_is_memory_all_the_same) {
  EXPECT_TRUE(child_finds([] {
    if (!forbid_system_call(SYS_memfd_create)) return false;
    constexpr std::size_t bytes = 100'000;
    auto* const memory = static_cast<std::byte*>(allocate(bytes));
    std::memset(memory, 7, bytes);
    const bool is_own = Regions::of_process().find(memory, bytes) == nullptr;
    deallocate(memory);
    return is_own;
  }));
}

TEST(Regions, a_limit_of_file_sizes_is_an_error_that_says_so) {
  EXPECT_TRUE(child_finds([] {
    const rlimit limit = {100'000, 100'000};
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) return false;
    deallocate(allocate(50'000));
    try {
      deallocate(allocate(200'000));
    } catch (const Error& error) {
      return error.code() == ErrorCode::resource &&
             error.text().find("ulimit -f") != std::string::npos;
    }
    return false;
  }));
}

TEST(Regions, more_memory_than_there_can_be_is_refused_with_its_size) {
  try {
    allocate(SIZE_MAX);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::resource);
    EXPECT_NE(error.text().find("18446744073709551615"), std::string::npos) << error.text();
  }
}

TEST(SharedMemory, boxes_that_came_to_nothing_are_used_for_the_next_link) {
  MemoryBudget budget;
  SharedMemory memory(budget, 1, -1);
  std::size_t links = 0;
  const OwnBoxes first = memory.allocate().value();
  memory.take_back(first);
  const std::size_t left = budget.left();
  const OwnBoxes second = memory.allocate().value();
  EXPECT_EQ(second.outbox, first.outbox);
  EXPECT_EQ(second.inbox, first.inbox);
  EXPECT_EQ(second.ring_bytes, first.ring_bytes);
  EXPECT_EQ(budget.left(), left);
  while (memory.allocate()) ++links;
  EXPECT_GT(links, 0u);
}

}  // namespace
}  // namespace rondo::process
