// The traps of emulated devices: what tests of rondo would not find without them.

#include <gtest/gtest.h>

#include <cstring>

#include "device/emulated/machine.hpp"
#include "harness.hpp"

namespace rondo::test {
namespace {

constexpr std::size_t length = 1 << 16;

class EmulatedTest : public ::testing::Test {
 protected:
  // What `process` gets when it reads the place.
  static int read(DeviceRuntime& process, const void* place) {
    const Stream stream(process);
    const Memory result(process, Allocation::pinned, 4);
    must(process.copy(stream, result.bytes(), place, 4));
    return outcome(process.synchronize(stream));
  }

  Machine machine_{2, 1 << 20};
  std::unique_ptr<DeviceRuntime> one_ = machine_.process();
  std::unique_ptr<DeviceRuntime> two_ = machine_.process();
};

TEST_F(EmulatedTest, HostsCannotTouchDeviceMemory) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const Memory memory(*one_, Allocation::device, length);
  EXPECT_DEATH(*const_cast<volatile std::byte*>(memory.bytes()) = std::byte{1}, "");
  const Memory pinned(*one_, Allocation::pinned, length);
  *pinned.bytes() = std::byte{1};
}

TEST_F(EmulatedTest, AddressesComeBackWithOtherMemory) {
  const Memory kept(*one_, Allocation::device, length);
  const std::byte* before = nullptr;
  MemoryHandle old;
  {
    const Memory memory(*one_, Allocation::device, length);
    before = memory.bytes();
    old = must(one_->export_memory(before));
  }
  const Memory memory(*one_, Allocation::device, length);
  EXPECT_EQ(memory.bytes(), before);
  EXPECT_FALSE(must(one_->export_memory(before)) == old);
  EXPECT_EQ(outcome(two_->open_memory(0, old)), failed_with(ErrorCode::invalid_argument));
}

TEST_F(EmulatedTest, EachProcessSeesMemoryElsewhere) {
  const Memory memory(*one_, Allocation::device, length);
  void* const opened = must(two_->open_memory(0, must(one_->export_memory(memory.bytes()))));
  EXPECT_NE(opened, memory.bytes());
  EXPECT_EQ(read(*two_, opened), 0);
  EXPECT_EQ(must(two_->describe(memory.bytes())).kind, MemoryKind::host);
  EXPECT_EQ(read(*two_, memory.bytes()), failed_with(ErrorCode::io));
}

TEST_F(EmulatedTest, FreedMemoryEndsTheWorkOfWhoeverHasItOpen) {
  void* opened = nullptr;
  {
    const Memory memory(*one_, Allocation::device, length);
    opened = must(two_->open_memory(0, must(one_->export_memory(memory.bytes()))));
    EXPECT_EQ(read(*two_, opened), 0);
  }
  const Stream stream(*two_);
  const Memory result(*two_, Allocation::pinned, 4);
  must(two_->copy(stream, result.bytes(), opened, 4));
  EXPECT_EQ(outcome(two_->synchronize(stream)), failed_with(ErrorCode::io));
  // For good, and for this process alone.
  EXPECT_EQ(outcome(two_->create_stream(0)), failed_with(ErrorCode::io));
  EXPECT_EQ(outcome(one_->create_stream(0)), 0);
}

TEST_F(EmulatedTest, SoDoesTheEndOfTheProcessThatHadIt) {
  void* const memory = must(one_->allocate(Allocation::device, 0, length));
  void* const opened = must(two_->open_memory(0, must(one_->export_memory(memory))));
  one_.reset();
  EXPECT_EQ(read(*two_, opened), failed_with(ErrorCode::io));
}

TEST_F(EmulatedTest, OwnFreedMemoryIsNoHostMemory) {
  void* const memory = must(one_->allocate(Allocation::device, 0, length));
  must(one_->deallocate(Allocation::device, memory));
  EXPECT_EQ(read(*one_, memory), failed_with(ErrorCode::io));
}

TEST_F(EmulatedTest, KernelsCannotTouchPageableMemory) {
  const Stream stream(*one_);
  const Memory memory(*one_, Allocation::device, 64);
  const std::array<float, 4> host = {};
  const void* const source = host.data();
  void* const destination = memory.bytes();
  must(one_->reduce(stream, {.sources = std::span(&source, 1),
                             .destinations = std::span(&destination, 1),
                             .count = host.size()}));
  EXPECT_EQ(outcome(one_->synchronize(stream)), failed_with(ErrorCode::io));
}

TEST_F(EmulatedTest, CopiesBeyondTheEndAreRefusedAtOnce) {
  const Stream stream(*one_);
  const Memory memory(*one_, Allocation::device, 64);
  std::array<std::byte, 65> host = {};
  EXPECT_EQ(outcome(one_->copy(stream, host.data(), memory.bytes(), host.size())),
            failed_with(ErrorCode::invalid_argument));
  EXPECT_EQ(outcome(one_->copy(stream, host.data(), memory.bytes(), 64)), 0);
}

TEST_F(EmulatedTest, MemoryRunsOutOnEachDevice) {
  const Memory most(*one_, Allocation::device, (1 << 20) - 64);
  EXPECT_EQ(outcome(two_->allocate(Allocation::device, 0, 128)), failed_with(ErrorCode::resource));
  const Memory other(*two_, Allocation::pinned, 128);
  void* const elsewhere = must(two_->allocate(Allocation::device, 1, 128));
  EXPECT_EQ(must(two_->describe(elsewhere)).device, 1);
}

TEST_F(EmulatedTest, MachinesMayRefuseToShare) {
  const Memory memory(*one_, Allocation::device, length);
  const MemoryHandle handle = must(one_->export_memory(memory.bytes()));
  machine_.refuses_opens = true;
  EXPECT_EQ(outcome(two_->open_memory(0, handle)), failed_with(ErrorCode::unsupported));
  machine_.refuses_exports = true;
  EXPECT_EQ(outcome(one_->export_memory(memory.bytes())), failed_with(ErrorCode::unsupported));
  const int before = machine_.waiting_calls;
  static_cast<void>(one_->describe(memory.bytes()).ok());
  EXPECT_EQ(machine_.waiting_calls, before);
  must(two_->deallocate(Allocation::device, must(two_->allocate(Allocation::device, 0, 1))));
  EXPECT_EQ(machine_.waiting_calls, before + 2);
}

TEST_F(EmulatedTest, PartsAreDescribedEachForItselfAndMappedTogether) {
  const Memory memory(*one_, Allocation::parts, 2 * Storage::part_bytes + 1);
  const MemoryInfo second = must(one_->describe(memory.bytes() + Storage::part_bytes));
  EXPECT_EQ(second.base, memory.bytes() + Storage::part_bytes);
  EXPECT_EQ(second.size, Storage::part_bytes);
  EXPECT_NE(second.id, must(one_->describe(memory.bytes())).id);
  MemoryParts parts = must(one_->export_parts(second.base));
  EXPECT_EQ(parts.base, memory.bytes());
  ASSERT_EQ(parts.parts.size(), 3u);
  EXPECT_EQ(parts.parts[2].bytes, 1u);
  std::swap(parts.parts[0], parts.parts[1]);
  EXPECT_EQ(outcome(two_->map_parts(0, parts)), failed_with(ErrorCode::invalid_argument));
  std::swap(parts.parts[0], parts.parts[1]);
  void* const mapped = must(two_->map_parts(0, parts));
  must(two_->unmap_parts(mapped));
  parts.parts.pop_back();
  EXPECT_EQ(outcome(two_->map_parts(0, parts)), failed_with(ErrorCode::invalid_argument));
}

TEST_F(EmulatedTest, MemoryOfPoolsEndsWithItsOwner) {
  void* const memory = must(one_->allocate(Allocation::shared_pool, 0, length));
  MemoryParts parts = must(one_->export_parts(memory));
  void* const mapped = must(two_->map_parts(0, parts));
  EXPECT_EQ(read(*two_, mapped), 0);
  parts.pointer = {};
  EXPECT_EQ(outcome(two_->map_parts(0, parts)), failed_with(ErrorCode::invalid_argument));
  must(one_->deallocate(Allocation::shared_pool, memory));
  EXPECT_EQ(read(*two_, mapped), failed_with(ErrorCode::io));
}

// What waits for ever ends with its process.
TEST_F(EmulatedTest, ProcessesEndWhileStreamsWait) {
  const Memory word(*one_, Allocation::device, 4);
  const Stream other(*one_);
  void* const theirs = must(two_->open_memory(0, must(one_->export_memory(word.bytes()))));
  const DeviceStream stream = must(two_->create_stream(0));
  must(two_->wait_value(stream, static_cast<std::uint32_t*>(theirs), 1));
  EXPECT_FALSE(must(two_->is_done(stream)));
  two_.reset();
  must(one_->synchronize(other));
}

TEST_F(EmulatedTest, TheDefaultStreamBreaksWhatIsCaptured) {
  const Stream stream(*one_);
  const Memory word(*one_, Allocation::pinned, 4);
  must(one_->begin_capture(stream));
  EXPECT_EQ(must(one_->capture_of({})), Capture::broken);
  EXPECT_EQ(must(one_->capture_of(stream)), Capture::active);
  EXPECT_FALSE(one_->write_value({}, word.as<std::uint32_t>(), 1).ok());
  EXPECT_EQ(must(one_->capture_of(stream)), Capture::broken);
  EXPECT_FALSE(one_->end_capture(stream).ok());
  must(one_->write_value({}, word.as<std::uint32_t>(), 1));
  must(one_->synchronize({}));
}

TEST_F(EmulatedTest, CapturesEndInTheThreadThatBeganThem) {
  const Stream stream(*one_);
  must(one_->begin_capture(stream));
  std::thread([&] { EXPECT_FALSE(one_->end_capture(stream).ok()); }).join();
  must(one_->destroy_graph(must(one_->end_capture(stream))));
}

TEST_F(EmulatedTest, HostFunctionsMustCallNothing) {
  const Stream stream(*one_);
  struct Called {
    DeviceRuntime& runtime;
    int outcome;
  } called{*one_, 0};
  const auto function = [](void* argument) {
    Called& made = *static_cast<Called*>(argument);
    made.outcome = outcome(made.runtime.create_stream(0));
  };
  must(one_->call_host(stream, function, &called));
  must(one_->synchronize(stream));
  EXPECT_EQ(called.outcome, failed_with(ErrorCode::invalid_argument));
}

TEST_F(EmulatedTest, DestroyedEventsAreOfNoUseToOthers) {
  const DeviceEvent event = must(one_->create_event(0, true));
  const EventHandle handle = must(one_->export_event(event));
  const DeviceEvent theirs = must(two_->open_event(0, handle));
  EXPECT_TRUE(must(two_->is_done(theirs)));
  must(one_->destroy_event(event));
  EXPECT_EQ(outcome(two_->is_done(theirs)), failed_with(ErrorCode::invalid_argument));
  EXPECT_EQ(outcome(two_->open_event(0, handle)), failed_with(ErrorCode::invalid_argument));
}

}  // namespace

std::vector<Role*> roles() {
  return {};
}

}  // namespace rondo::test
