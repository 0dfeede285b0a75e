// On emulated devices, which notice what is opened, closed and used at the wrong time.

#include "device/peer_cache.hpp"

#include <gtest/gtest.h>

#include "device/emulated/machine.hpp"
#include "harness.hpp"

namespace rondo::test {
namespace {

constexpr std::size_t length = 1 << 16;
constexpr ProcessName one = {1, 100};
constexpr ProcessName two = {1, 200};

class PeerCacheTest : public ::testing::Test {
 protected:
  static PeerMemory tell(DeviceRuntime& process, ProcessName name, const void* memory) {
    const MemoryInfo info = must(process.describe(memory));
    return {name, reinterpret_cast<std::uintptr_t>(info.base), info.size, info.id,
            must(process.export_memory(memory))};
  }
  // Whether process two can read it.
  bool can_read(const void* place) {
    const Stream stream(*two_);
    const Memory result(*two_, Allocation::pinned, 4);
    return two_->copy(stream, result.bytes(), place, 4).ok() && two_->synchronize(stream).ok();
  }
  PeerCache cache(std::size_t entries = 4, std::size_t bytes = 8 * length) {
    return PeerCache(*two_, 0, two, {entries, bytes});
  }

  Machine machine_;
  std::unique_ptr<DeviceRuntime> one_ = machine_.process();
  std::unique_ptr<DeviceRuntime> two_ = machine_.process();
};

TEST_F(PeerCacheTest, OpensOnceAndFindsAgainWithoutWaiting) {
  PeerCache cache = this->cache();
  const Memory memory(*one_, Allocation::device, length);
  const PeerMemory told = tell(*one_, one, memory.bytes() + 100);
  void* const place = must(cache.acquire(told));
  EXPECT_TRUE(can_read(place));
  cache.release(told);
  const int before = machine_.waiting_calls;
  EXPECT_EQ(must(cache.acquire(told)), place);
  cache.release(told);
  EXPECT_EQ(machine_.waiting_calls, before);
  EXPECT_EQ(cache.entries(), 1u);
  EXPECT_EQ(cache.bytes(), length);
}

TEST_F(PeerCacheTest, OwnMemoryIsWhereItIs) {
  PeerCache cache = this->cache();
  const Memory memory(*two_, Allocation::device, length);
  const PeerMemory told = tell(*two_, two, memory.bytes());
  EXPECT_EQ(must(cache.acquire(told)), memory.bytes());
  cache.release(told);
  EXPECT_EQ(cache.entries(), 0u);
}

TEST_F(PeerCacheTest, EqualNumbersOnOtherHostsAreOtherProcesses) {
  PeerCache cache = this->cache();
  const Memory memory(*one_, Allocation::device, length);
  const PeerMemory told = tell(*one_, {2, two.process}, memory.bytes());
  EXPECT_TRUE(can_read(must(cache.acquire(told))));
  EXPECT_EQ(cache.entries(), 1u);
  cache.release(told);
}

TEST_F(PeerCacheTest, ClosesWhatWasNotUsedForLongest) {
  PeerCache cache = this->cache(2);
  const Memory memory[3] = {{*one_, Allocation::device, length},
                            {*one_, Allocation::device, length},
                            {*one_, Allocation::device, length}};
  std::vector<PeerMemory> told;
  for (const Memory& each : memory) told.push_back(tell(*one_, one, each.bytes()));
  for (const int which : {0, 1, 0, 2}) {  // 2 takes the place of 1
    must(cache.acquire(told[static_cast<std::size_t>(which)]));
    cache.release(told[static_cast<std::size_t>(which)]);
  }
  EXPECT_EQ(cache.entries(), 2u);
  const int before = machine_.waiting_calls;
  for (const std::size_t which : {0, 2}) {
    must(cache.acquire(told[which]));
    cache.release(told[which]);
  }
  EXPECT_EQ(machine_.waiting_calls, before);
  must(cache.acquire(told[1]));
  cache.release(told[1]);
  EXPECT_GT(machine_.waiting_calls, before);
}

TEST_F(PeerCacheTest, KeepsWhatGoesByDescriptorsInTheSameWay) {
  PeerCache cache = this->cache(2);
  const Memory memory[3] = {{*one_, Allocation::parts, length},
                            {*one_, Allocation::descriptor, length},
                            {*one_, Allocation::shared_pool, length}};
  std::vector<PeerMemory> told;
  for (const Memory& each : memory) {
    const MemoryParts parts = must(one_->export_parts(each.bytes() + length - 1));
    told.push_back(
        {one, reinterpret_cast<std::uintptr_t>(parts.base), parts.size, parts.id, {}, true});
    EXPECT_TRUE(can_read(must(cache.acquire(told.back(), &parts))));
    cache.release(told.back());
  }
  EXPECT_EQ(cache.entries(), 2u);
  EXPECT_EQ(cache.bytes(), 2 * length);
  EXPECT_EQ(machine_.open_memories, 2);
  const int before = machine_.waiting_calls;
  EXPECT_TRUE(can_read(must(cache.acquire(told[1]))));
  EXPECT_EQ(machine_.waiting_calls, before + 2);  // for the memory of can_read()
  EXPECT_FALSE(cache.withdraw(one, told[1].id));  // in use
  cache.release(told[1]);
  EXPECT_EQ(machine_.open_memories, 1);
  EXPECT_EQ(cache.take_closed().size(), 1u);
  EXPECT_TRUE(cache.withdraw(one, told[2].id));
  EXPECT_EQ(machine_.open_memories, 0);
}

// An address that comes back says nothing of what has a descriptor: it is there for as long as it
// is used.
TEST_F(PeerCacheTest, KeepsWhatIsUsedByDescriptorThoughItsOwnerHasFreedIt) {
  PeerCache cache = this->cache();
  PeerMemory old;
  void* place = nullptr;
  {
    const Memory memory(*one_, Allocation::descriptor, length);
    const MemoryParts parts = must(one_->export_parts(memory.bytes()));
    old = {one, reinterpret_cast<std::uintptr_t>(parts.base), parts.size, parts.id, {}, true};
    place = must(cache.acquire(old, &parts));
  }
  const Memory memory(*one_, Allocation::device, length);
  const PeerMemory told = tell(*one_, one, memory.bytes());
  ASSERT_EQ(told.base, old.base);
  EXPECT_TRUE(can_read(must(cache.acquire(told))));
  EXPECT_TRUE(can_read(place));
  cache.release(told);
  cache.release(old);
}

TEST_F(PeerCacheTest, NeverClosesWhatIsInUse) {
  PeerCache cache = this->cache(8, 2 * length);
  const Memory memory[3] = {{*one_, Allocation::device, length},
                            {*one_, Allocation::device, length},
                            {*one_, Allocation::device, length}};
  std::vector<PeerMemory> told;
  for (const Memory& each : memory) told.push_back(tell(*one_, one, each.bytes()));
  void* const place = must(cache.acquire(told[0]));
  must(cache.acquire(told[1]));
  EXPECT_EQ(outcome(cache.acquire(told[2])), failed_with(ErrorCode::resource));
  EXPECT_TRUE(can_read(place));
  cache.release(told[1]);
  must(cache.acquire(told[2]));
  EXPECT_TRUE(can_read(place));
  EXPECT_EQ(cache.bytes(), 2 * length);
  cache.release(told[0]);
  cache.release(told[2]);
}

// As happens where nobody says that memory is freed: the address is the same.
TEST_F(PeerCacheTest, TellsNewMemoryAtAnOldAddress) {
  PeerCache cache = this->cache();
  PeerMemory old;
  {
    const Memory memory(*one_, Allocation::device, length);
    old = tell(*one_, one, memory.bytes());
    must(cache.acquire(old));
    cache.release(old);
  }
  const Memory memory(*one_, Allocation::device, length);
  const PeerMemory told = tell(*one_, one, memory.bytes());
  ASSERT_EQ(told.base, old.base);
  EXPECT_TRUE(can_read(must(cache.acquire(told))));
  EXPECT_EQ(cache.entries(), 1u);
  cache.release(told);
}

TEST_F(PeerCacheTest, SaysWhenWithdrawnMemoryIsClosed) {
  PeerCache cache = this->cache();
  void* const memory = must(one_->allocate(Allocation::device, 0, length));
  const PeerMemory told = tell(*one_, one, memory);
  void* const place = must(cache.acquire(told));
  EXPECT_FALSE(cache.withdraw(one, told.id));  // in use
  EXPECT_TRUE(can_read(place));
  EXPECT_FALSE(cache.acquire(told));
  EXPECT_TRUE(cache.take_closed().empty());
  cache.release(told);
  ASSERT_EQ(cache.take_closed().size(), 1u);
  EXPECT_TRUE(cache.take_closed().empty());
  must(one_->deallocate(Allocation::device, memory));
  EXPECT_TRUE(cache.withdraw(one, told.id)) << "closed already";
  EXPECT_EQ(cache.entries(), 0u);
}

TEST_F(PeerCacheTest, ForgetsProcessesThatHaveEnded) {
  PeerCache cache = this->cache();
  const PeerMemory told = tell(*one_, one, must(one_->allocate(Allocation::device, 0, length)));
  const PeerMemory used = tell(*one_, one, must(one_->allocate(Allocation::device, 0, length)));
  must(cache.acquire(told));
  cache.release(told);
  must(cache.acquire(used));
  one_.reset();
  cache.drop(one);
  EXPECT_EQ(cache.entries(), 1u);
  cache.release(used);
  EXPECT_EQ(cache.entries(), 0u);
  EXPECT_TRUE(must(two_->devices()).size() == 1);
}

TEST_F(PeerCacheTest, RemembersWhatCannotBeOpened) {
  PeerCache cache = this->cache();
  const Memory memory(*one_, Allocation::device, length);
  const PeerMemory told = tell(*one_, one, memory.bytes());
  machine_.refuses_opens = true;
  EXPECT_EQ(outcome(cache.acquire(told)), failed_with(ErrorCode::unsupported));
  const int before = machine_.waiting_calls;
  EXPECT_EQ(outcome(cache.acquire(told)), failed_with(ErrorCode::unsupported));
  EXPECT_EQ(machine_.waiting_calls, before);
  EXPECT_EQ(cache.bytes(), 0u);
}

TEST_F(PeerCacheTest, ClosesAllAtItsEnd) {
  const Memory memory(*one_, Allocation::device, length);
  const PeerMemory told = tell(*one_, one, memory.bytes());
  void* place = nullptr;
  {
    PeerCache cache = this->cache();
    place = must(cache.acquire(told));
    cache.release(told);
  }
  EXPECT_FALSE(two_->close_memory(place)) << "it was still open";
}

}  // namespace

std::vector<Role*> roles() {
  return {};
}

}  // namespace rondo::test
