// Memory that has no handle, used in place by ranks that are processes of their own to emulated
// devices: it goes by descriptors, over a Unix socket, or is not shared.

#include <gtest/gtest.h>

#include <filesystem>

#include "ranks.hpp"

namespace rondo::test {
namespace {

constexpr std::size_t count = 20'000;  // of more than one part, where there are parts

// Memory of one kind, with numbers that tell whose it is.
class Numbers {
 public:
  Numbers(Rank& rank, Allocation kind)
      : rank_(rank), kind_(kind), place_(must(rank.runtime.allocate(kind, 0, count * 4))) {
    rank.write(span(), counting(count, rank.number()));
  }
  Numbers(const Numbers&) = delete;
  Numbers& operator=(const Numbers&) = delete;
  ~Numbers() { free(); }

  DeviceSpan<int> span() const { return {static_cast<int*>(place_), count}; }
  void free() {
    if (place_ != nullptr) static_cast<void>(rank_.runtime.deallocate(kind_, place_).ok());
    place_ = nullptr;
  }
  void check_sum() const {
    Work work = rank_.comm.allreduce(span(), Op::sum, rank_.native());
    std::vector<int> expected(count, 0);
    for (int each = 0; each < rank_.comm.size(); ++each) {
      for (std::size_t i = 0; i < count; ++i) expected[i] += each + static_cast<int>(i);
    }
    EXPECT_EQ(rank_.get(span()), expected) << "rank " << rank_.number();
    work.wait();
  }

 private:
  Rank& rank_;
  const Allocation kind_;
  void* place_;
};

// Of all ranks, as rank 0 sees it while none of them does anything.
std::ptrdiff_t count_files(Rank& rank) {
  rank.meet();
  std::ptrdiff_t found = 0;
  if (rank.number() == 0) {
    found = std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {});
  }
  rank.meet();
  return found;
}

int count_of(const std::string& text, const std::string& what) {
  int found = 0;
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++found;
  return found;
}

// Rank r's is of the kind kinds[r].
void check_shared(const std::vector<Allocation>& kinds) {
  run_connected(static_cast<int>(kinds.size()), [&](Rank& rank) {
    const int open_before = rank.count(&Machine::open_memories);
    const std::ptrdiff_t files_before = count_files(rank);
    for (int i = 0; i < 3; ++i) {  // at the same addresses
      Numbers numbers(rank, kinds[static_cast<std::size_t>(rank.number())]);
      ASSERT_TRUE(rank.comm.share(numbers.span()));
      EXPECT_GT(rank.count(&Machine::open_memories), open_before);
      const int waiting = rank.count(&Machine::waiting_calls);
      numbers.check_sum();
      EXPECT_EQ(rank.count(&Machine::waiting_calls), waiting);
      rank.comm.unshare(numbers.span());
      EXPECT_EQ(rank.count(&Machine::open_memories), open_before);
    }
    EXPECT_EQ(count_files(rank), files_before);
  });
}

TEST(ByDescriptor, OfOneAllocation) {
  check_shared({Allocation::descriptor, Allocation::descriptor, Allocation::descriptor});
}

TEST(ByDescriptor, OfPartsSideBySide) {
  check_shared({Allocation::parts, Allocation::parts});
}

TEST(ByDescriptor, OfPools) {
  check_shared({Allocation::shared_pool, Allocation::shared_pool});
}

TEST(ByDescriptor, OfAnyKindAtEachRank) {
  check_shared(
      {Allocation::parts, Allocation::device, Allocation::shared_pool, Allocation::descriptor});
}

// Whoever has it mapped keeps it.
TEST(ByDescriptor, MemoryStaysAfterItsOwnerHasFreedIt) {
  run_connected(2, [](Rank& rank) {
    Numbers numbers(rank, Allocation::parts);
    const Numbers others(rank, Allocation::device);
    ASSERT_TRUE(rank.comm.share(numbers.span()));
    const DeviceSpan<int> span = numbers.span();
    numbers.free();
    rank.comm.barrier();
    others.check_sum();
    rank.synchronize();
    rank.comm.unshare(span);
  });
}

// All go on by the workspaces, and rank 0 says once which rank cannot, and why.
void check_refused(Allocation kind, const std::string& reason) {
  testing::internal::CaptureStderr();
  run_connected(3, [&](Rank& rank) {
    const int open_before = rank.count(&Machine::open_memories);
    const Numbers numbers(rank, rank.number() == 1 ? kind : Allocation::descriptor);
    EXPECT_FALSE(rank.comm.share(numbers.span()));
    EXPECT_EQ(rank.count(&Machine::open_memories), open_before);
    numbers.check_sum();
  });
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_EQ(count_of(said, "device memory is not shared"), 1) << said;
  EXPECT_NE(said.find("the memory of rank 1: " + reason), std::string::npos) << said;
}

TEST(ByDescriptor, NotWhatWasNotMadeForIt) {
  check_refused(Allocation::unshared, "export_memory: this memory has no handle");
}

TEST(ByDescriptor, NotOfThePoolOfTheDevice) {
  check_refused(Allocation::pool, "export_memory: this memory has no handle");
}

TEST(ByDescriptor, NotInTooManyParts) {
  testing::internal::CaptureStderr();
  run_connected(2, [](Rank& rank) {
    const std::size_t bytes = (MemoryParts::most_parts + 1) * Storage::part_bytes;
    const Memory memory(rank.runtime, Allocation::parts, bytes);
    EXPECT_FALSE(rank.comm.share(DeviceSpan<int>(memory.as<int>(), 1)));
    rank.comm.barrier();
  });
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_NE(said.find("too many parts"), std::string::npos) << said;
}

TEST(ByDescriptor, NotWhereItCannotBeMapped) {
  testing::internal::CaptureStderr();
  run_connected(2, [](Rank& rank) {
    const Numbers numbers(rank, Allocation::descriptor);
    rank.comm.barrier();
    rank.machine().refuses_opens = true;
    EXPECT_FALSE(rank.comm.share(numbers.span()));
    rank.comm.barrier();
    rank.machine().refuses_opens = false;
    numbers.check_sum();
  });
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_EQ(count_of(said, "map_parts: refused"), 1) << said;
}

// Rank 1 dies with its memory mapped everywhere: those who have it are told so, and their devices
// are as good as before.
TEST(ByDescriptor, APeerMayDieWhileItsMemoryIsMapped) {
  run_connected(3, [](Rank& rank) {
    Numbers numbers(rank, Allocation::parts);
    ASSERT_TRUE(rank.comm.share(numbers.span()));
    rank.meet();
    if (rank.number() == 1) emulated(rank.runtime)->die_in_next_kernel();
    const Numbers unshared(rank, Allocation::device);
    Work work = rank.comm.allreduce(unshared.span(), Op::sum, rank.native());
    const Error error = error_of(work);
    EXPECT_NE(error.text().find("rank 1"), std::string::npos) << error.text();
    if (rank.number() == 1) return;
    rank.synchronize();  // throws where the device is of no use any more
    rank.get(numbers.span());
  });
}

}  // namespace

std::vector<Role*> roles() {
  return {};
}

}  // namespace rondo::test
