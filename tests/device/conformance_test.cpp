// The rules of device/runtime.hpp, on emulated and on real devices.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <memory>

#include "bytes.hpp"

namespace rondo::test {
namespace {

TEST(Devices, HaveNamesAndAreTold) {
  const auto devices = must(runtime().devices());
  ASSERT_FALSE(devices.empty());
  for (std::size_t i = 0; i < devices.size(); ++i) {
    EXPECT_FALSE(devices[i].name.empty());
    EXPECT_GT(devices[i].memory_bytes, 0u);
    EXPECT_GT(devices[i].multiprocessors, 0);
    for (std::size_t j = 0; j < i; ++j) EXPECT_NE(devices[i].uuid, devices[j].uuid);
  }
}

TEST(Devices, SayWhatIsBetweenThem) {
  const int count = static_cast<int>(must(runtime().devices()).size());
  for (int i = 0; i < count; ++i) {
    EXPECT_FALSE(runtime().link(i, i));
    for (int j = 0; j < i; ++j) EXPECT_EQ(must(runtime().link(i, j)), must(runtime().link(j, i)));
  }
  EXPECT_FALSE(runtime().link(0, count));
}

TEST(Pointers, AreWhatTheyAre) {
  std::array<std::byte, 8> own = {};
  EXPECT_EQ(must(runtime().describe(own.data())).kind, MemoryKind::host);
  struct Case {
    Allocation allocation;
    MemoryKind kind;
    bool has_handle;
    bool has_descriptor;
  };
  for (const Case& c : {Case{Allocation::device, MemoryKind::device, true, false},
                        Case{Allocation::descriptor, MemoryKind::device, false, true},
                        Case{Allocation::parts, MemoryKind::device, false, true},
                        Case{Allocation::shared_pool, MemoryKind::device, false, true},
                        Case{Allocation::unshared, MemoryKind::device, false, false},
                        Case{Allocation::pool, MemoryKind::device, false, false},
                        Case{Allocation::pinned, MemoryKind::pinned, false, false},
                        Case{Allocation::managed, MemoryKind::managed, false, false}}) {
    const Memory memory(runtime(), c.allocation, length);
    const MemoryInfo info = must(runtime().describe(memory.bytes() + 1000));
    const int which = static_cast<int>(c.allocation);
    EXPECT_EQ(info.kind, c.kind) << which;
    EXPECT_EQ(info.device, 0) << which;
    EXPECT_EQ(info.has_handle, c.has_handle) << which;
    EXPECT_EQ(info.has_descriptor, c.has_descriptor) << which;
    EXPECT_EQ(runtime().export_memory(memory.bytes()).ok(), c.has_handle) << which;
    EXPECT_EQ(runtime().export_parts(memory.bytes()).ok(), c.has_descriptor) << which;
    // What may be a part of something larger, or has parts itself.
    if (c.allocation == Allocation::pool || c.allocation == Allocation::shared_pool) continue;
    if (c.allocation == Allocation::parts) continue;
    EXPECT_EQ(info.base, memory.bytes()) << which;
    EXPECT_GE(info.size, length) << which;
  }
}

TEST(Pointers, OfMemoryThatWasMadeLaterAreTold) {
  std::uint64_t before = 0;
  for (int i = 0; i < 3; ++i) {  // most often at the same address
    const Memory memory(runtime(), Allocation::device, length);
    const std::uint64_t id = must(runtime().describe(memory.bytes())).id;
    EXPECT_NE(id, before);
    before = id;
  }
}

TEST(Errors, OfACallLeaveNothingBehind) {
  EXPECT_EQ(outcome(runtime().allocate(Allocation::device, 0, std::size_t{1} << 50)),
            failed_with(ErrorCode::resource));
  EXPECT_EQ(outcome(runtime().allocate(Allocation::device, 0, 0)),
            failed_with(ErrorCode::invalid_argument));
  EXPECT_EQ(outcome(runtime().allocate(Allocation::device, 1000, 1)),
            failed_with(ErrorCode::invalid_argument));
  EXPECT_EQ(outcome(runtime().export_memory(pattern(0).data())),
            failed_with(ErrorCode::unsupported));
  const Memory memory(runtime(), Allocation::device, length);
  const Stream stream(runtime());
  put(runtime(), stream, memory.bytes(), pattern(1));
  EXPECT_EQ(get(runtime(), stream, memory.bytes()), pattern(1));
}

TEST(Streams, KeepTheOrder) {
  const Memory first(runtime(), Allocation::device, length);
  const Memory second(runtime(), Allocation::device, length);
  const Stream stream(runtime());
  const auto values = pattern(2);
  must(runtime().copy(stream, first.bytes(), values.data(), length));
  must(runtime().copy(stream, second.bytes(), first.bytes(), length));
  const auto later = pattern(3);
  must(runtime().copy(stream, first.bytes(), later.data(), length));
  EXPECT_EQ(get(runtime(), stream, second.bytes()), values);
  EXPECT_EQ(get(runtime(), stream, first.bytes()), later);
}

TEST(Streams, GoOnByThemselves) {
  const Memory memory(runtime(), Allocation::device, length);
  const Memory result(runtime(), Allocation::pinned, length);
  const Stream stream(runtime());
  const Stream other(runtime());
  put(runtime(), stream, memory.bytes(), pattern(4));
  std::memset(result.bytes(), 0, length);
  Gate gate(runtime());
  gate.hold(stream);
  must(runtime().copy(stream, result.bytes(), memory.bytes(), length));
  EXPECT_FALSE(must(runtime().is_done(stream)));
  // Another stream is not held up.
  const auto newer = pattern(5);
  must(runtime().copy(other, memory.bytes(), newer.data(), length));
  must(runtime().synchronize(other));
  EXPECT_FALSE(must(runtime().is_done(stream)));
  EXPECT_EQ(result.bytes()[17], std::byte{0});
  gate.open();
  must(runtime().synchronize(stream));
  EXPECT_TRUE(must(runtime().is_done(stream)));
  EXPECT_EQ(std::memcmp(result.bytes(), newer.data(), length), 0);
}

TEST(Streams, OfTheDeviceItselfWork) {
  const Memory memory(runtime(), Allocation::device, length);
  put(runtime(), DeviceStream{nullptr, 0}, memory.bytes(), pattern(6));
  EXPECT_EQ(get(runtime(), DeviceStream{nullptr, 0}, memory.bytes()), pattern(6));
}

TEST(Events, OrderStreams) {
  const Memory memory(runtime(), Allocation::device, length);
  const Memory from(runtime(), Allocation::pinned, length);
  const Stream first(runtime());
  const Stream second(runtime());
  const DeviceEvent event = must(runtime().create_event(0, false));
  EXPECT_TRUE(must(runtime().is_done(event)));  // never recorded
  must(runtime().wait(second, event));
  must(runtime().synchronize(second));
  put(runtime(), first, memory.bytes(), pattern(7));
  std::memcpy(from.bytes(), pattern(8).data(), length);
  Gate gate(runtime());
  gate.hold(first);
  must(runtime().copy(first, memory.bytes(), from.bytes(), length));
  must(runtime().record(first, event));
  must(runtime().wait(second, event));
  const Memory result(runtime(), Allocation::pinned, length);
  must(runtime().copy(second, result.bytes(), memory.bytes(), length));
  EXPECT_FALSE(must(runtime().is_done(event)));
  EXPECT_FALSE(must(runtime().is_done(second)));
  gate.open();
  must(runtime().synchronize(second));
  EXPECT_TRUE(must(runtime().is_done(event)));
  EXPECT_EQ(std::memcmp(result.bytes(), from.bytes(), length), 0);
  must(runtime().destroy_event(event));
}

TEST(Values, AreWrittenInOrderAndWaitedFor) {
  const Memory words(runtime(), Allocation::device, 64);
  const Memory result(runtime(), Allocation::pinned, 64);
  auto* const word = words.as<std::uint32_t>() + 3;
  const Stream writer(runtime());
  const Stream waiter(runtime());
  // Values are compared as on a circle.
  must(runtime().write_value(writer, word, 0xfffffff0u));
  must(runtime().synchronize(writer));
  must(runtime().wait_value(waiter, word, 2));
  must(runtime().copy(waiter, result.bytes(), word, 4));
  EXPECT_FALSE(must(runtime().is_done(waiter)));
  must(runtime().write_value(writer, word, 1));
  must(runtime().synchronize(writer));
  EXPECT_FALSE(must(runtime().is_done(waiter)));
  must(runtime().write_value(writer, word, 3));
  must(runtime().synchronize(waiter));
  EXPECT_EQ(*result.as<std::uint32_t>(), 3u);
}

TEST(Values, InMemoryOfTheHostThatWasPinned) {
  constexpr std::size_t page = 4096;
  std::vector<std::byte> room(2 * page);
  void* begin = room.data();
  std::size_t left = room.size();
  auto* const words = static_cast<std::uint32_t*>(std::align(page, page, begin, left));
  std::fill_n(words, page / sizeof(*words), 0u);
  const Stream stream(runtime());
  EXPECT_EQ(must(runtime().describe(words)).kind, MemoryKind::host);
  EXPECT_FALSE(runtime().write_value(stream, words, 1));
  must(runtime().pin(words, page));
  EXPECT_EQ(must(runtime().describe(words + 5)).kind, MemoryKind::pinned);
  must(runtime().wait_value(stream, words, 3));
  must(runtime().write_value(stream, words + 1, 4));
  EXPECT_FALSE(must(runtime().is_done(stream)));
  std::atomic_ref(words[0]).store(3);
  must(runtime().synchronize(stream));
  EXPECT_EQ(words[1], 4u);
  must(runtime().unpin(words));
  EXPECT_EQ(must(runtime().describe(words)).kind, MemoryKind::host);
}

TEST(HostFunctions, RunInTheirTurn) {
  std::atomic<int> called = 0;
  const Stream stream(runtime());
  Gate gate(runtime());
  gate.hold(stream);
  must(runtime().call_host(
      stream, [](void* counter) { ++*static_cast<std::atomic<int>*>(counter); }, &called));
  EXPECT_FALSE(must(runtime().is_done(stream)));
  EXPECT_EQ(called, 0);
  gate.open();
  must(runtime().synchronize(stream));
  EXPECT_EQ(called, 1);
}

TEST(Handles, AreNotForTheProcessThatMadeThem) {
  const Memory memory(runtime(), Allocation::device, length);
  const MemoryHandle handle = must(runtime().export_memory(memory.bytes()));
  EXPECT_FALSE(runtime().open_memory(0, handle));
  const DeviceEvent event = must(runtime().create_event(0, true));
  EXPECT_FALSE(runtime().open_event(0, must(runtime().export_event(event))));
  must(runtime().destroy_event(event));
  const DeviceEvent own = must(runtime().create_event(0, false));
  EXPECT_FALSE(runtime().export_event(own));
  must(runtime().destroy_event(own));
  const Stream stream(runtime());
  put(runtime(), stream, memory.bytes(), pattern(9));
  EXPECT_EQ(get(runtime(), stream, memory.bytes()), pattern(9));
}

// Adds 1 to every byte of the memory that it gets a handle of, which it opens twice.
void add_one(DeviceRuntime& here, Channel& channel) {
  const auto handle = channel.receive<MemoryHandle>();
  void* const memory = must(here.open_memory(0, handle));
  channel.send(must(here.open_memory(0, handle)) == memory);
  must(here.close_memory(memory));
  const Stream stream(here);
  auto values = get(here, stream, memory);
  for (std::byte& value : values) value = static_cast<std::byte>(static_cast<int>(value) + 1);
  put(here, stream, memory, values);
  channel.send(outcome(here.close_memory(static_cast<std::byte*>(memory) + 256)));
  channel.send(outcome(here.close_memory(memory)));
  channel.send(outcome(here.close_memory(memory)));
}

TEST(Handles, StandForTheWholeAllocation) {
  const Memory memory(runtime(), Allocation::device, length);
  const Stream stream(runtime());
  put(runtime(), stream, memory.bytes(), pattern(10));
  Peer peer(add_one);
  peer.channel().send(must(runtime().export_memory(memory.bytes() + 12345)));
  EXPECT_TRUE(peer.channel().receive<bool>()) << "opened twice, it is at two places";
  EXPECT_NE(peer.channel().receive<int>(), 0) << "closed at a place that is not the beginning";
  EXPECT_EQ(peer.channel().receive<int>(), 0);
  EXPECT_NE(peer.channel().receive<int>(), 0) << "closed once more than opened";
  auto expected = pattern(10);
  for (std::byte& value : expected) value = static_cast<std::byte>(static_cast<int>(value) + 1);
  EXPECT_EQ(get(runtime(), stream, memory.bytes()), expected);
}

void send_parts(Channel& channel, const MemoryParts& memory) {
  channel.send(memory.parts.size());
  channel.send(memory.is_in_pool);
  channel.send(memory.pointer);
  for (const MemoryParts::Part& part : memory.parts) {
    channel.send_descriptor(part.descriptor.fd());
    channel.send(part.bytes);
  }
}

MemoryParts receive_parts(Channel& channel) {
  MemoryParts memory;
  memory.parts.resize(channel.receive<std::size_t>());
  memory.is_in_pool = channel.receive<bool>();
  memory.pointer = channel.receive<MemoryHandle>();
  for (MemoryParts::Part& part : memory.parts) {
    part.descriptor = channel.receive_descriptor();
    part.bytes = channel.receive<std::size_t>();
    memory.size += part.bytes;
  }
  return memory;
}

void write_by_descriptors(DeviceRuntime& here, Channel& channel) {
  void* const memory = must(here.map_parts(0, receive_parts(channel)));
  channel.receive<int>();  // where it may, the other side has no such memory any more
  const Stream stream(here);
  channel.send(get(here, stream, memory) == pattern(11));
  put(here, stream, memory, pattern(12));
  channel.send(get(here, stream, memory) == pattern(12));
  channel.send(outcome(here.unmap_parts(static_cast<std::byte*>(memory) + 256)));
  channel.send(outcome(here.unmap_parts(memory)));
}

void check_writing(Peer& peer) {
  peer.channel().send(0);
  EXPECT_TRUE(peer.channel().receive<bool>());
  EXPECT_TRUE(peer.channel().receive<bool>());
  EXPECT_NE(peer.channel().receive<int>(), 0) << "unmapped at a place that is not the beginning";
  EXPECT_EQ(peer.channel().receive<int>(), 0);
}

TEST(Descriptors, KeepMemoryAlive) {
  for (const Allocation kind : {Allocation::descriptor, Allocation::parts}) {
    Peer peer(write_by_descriptors);
    {
      const Memory memory(runtime(), kind, length);
      const Stream stream(runtime());
      put(runtime(), stream, memory.bytes(), pattern(11));
      const MemoryParts exported = must(runtime().export_parts(memory.bytes() + length - 1));
      EXPECT_EQ(exported.base, memory.bytes());
      EXPECT_GE(exported.size, length);
      EXPECT_EQ(exported.parts.size() > 1, kind == Allocation::parts);
      send_parts(peer.channel(), exported);
    }
    check_writing(peer);
  }
}

TEST(Descriptors, OfPoolsShowTheSameMemory) {
  Peer peer(write_by_descriptors);
  const Memory memory(runtime(), Allocation::shared_pool, length);
  const Stream stream(runtime());
  put(runtime(), stream, memory.bytes(), pattern(11));
  send_parts(peer.channel(), must(runtime().export_parts(memory.bytes())));
  check_writing(peer);
  EXPECT_EQ(get(runtime(), stream, memory.bytes()), pattern(12));
}

struct Shared {
  MemoryHandle memory;
  EventHandle event;
};

void wait_for_event(DeviceRuntime& here, Channel& channel) {
  const auto shared = channel.receive<Shared>();
  void* const memory = must(here.open_memory(0, shared.memory));
  const DeviceEvent event = must(here.open_event(0, shared.event));
  const Memory result(here, Allocation::pinned, length);
  {
    const Stream stream(here);
    must(here.wait(stream, event));
    must(here.copy(stream, result.bytes(), memory, length));
    channel.send(must(here.is_done(stream)));
    must(here.synchronize(stream));
  }
  channel.send(std::memcmp(result.bytes(), pattern(14).data(), length) == 0);
  must(here.destroy_event(event));
  must(here.close_memory(memory));
  channel.send(0);
}

TEST(Events, OrderStreamsOfTwoProcesses) {
  const Memory memory(runtime(), Allocation::device, length);
  const Memory from(runtime(), Allocation::pinned, length);
  const Stream stream(runtime());
  put(runtime(), stream, memory.bytes(), pattern(13));
  std::memcpy(from.bytes(), pattern(14).data(), length);
  const DeviceEvent event = must(runtime().create_event(0, true));
  const Shared shared = {must(runtime().export_memory(memory.bytes())),
                         must(runtime().export_event(event))};
  Gate gate(runtime());
  gate.hold(stream);
  must(runtime().copy(stream, memory.bytes(), from.bytes(), length));
  must(runtime().record(stream, event));
  Peer peer(wait_for_event);
  peer.channel().send(shared);
  EXPECT_FALSE(peer.channel().receive<bool>());
  gate.open();
  EXPECT_TRUE(peer.channel().receive<bool>());
  peer.channel().receive<int>();
  must(runtime().synchronize(stream));
  must(runtime().destroy_event(event));
}

void write_five(DeviceRuntime& here, Channel& channel) {
  void* const memory = must(here.open_memory(0, channel.receive<MemoryHandle>()));
  {
    const Stream stream(here);
    must(here.write_value(stream, static_cast<std::uint32_t*>(memory) + 5, 5));
    must(here.synchronize(stream));
  }
  must(here.close_memory(memory));
  channel.send(0);
}

TEST(Values, OrderStreamsOfTwoProcesses) {
  const Memory words(runtime(), Allocation::device, 64);
  const Stream stream(runtime());
  put(runtime(), stream, words.bytes(), std::vector<std::byte>(64));
  must(runtime().wait_value(stream, words.as<std::uint32_t>() + 5, 5));
  EXPECT_FALSE(must(runtime().is_done(stream)));
  Peer peer(write_five);
  peer.channel().send(must(runtime().export_memory(words.bytes())));
  must(runtime().synchronize(stream));
  peer.channel().receive<int>();
}

// In a graph, or as it is.
void use_nothing(DeviceRuntime& here, Channel& channel) {
  const bool is_captured = channel.receive<bool>();
  const Memory memory(here, Allocation::device, 64);
  const Stream stream(here);
  const void* const nowhere = reinterpret_cast<const void*>(std::uintptr_t{4096});
  void* const destination = memory.bytes();
  std::atomic<int> called = 0;
  const DeviceEvent before = must(here.create_event(0, false));
  must(here.record(stream, before));
  if (is_captured) must(here.begin_capture(stream));
  must(here.reduce(stream, {.dtype = DType::f32,
                            .op = Op::sum,
                            .sources = std::span(&nowhere, 1),
                            .destinations = std::span(&destination, 1),
                            .count = 4}));
  static_cast<void>(
      here.call_host(
              stream, [](void* counter) { ++*static_cast<std::atomic<int>*>(counter); }, &called)
          .ok());
  if (is_captured) {
    must(here.launch(stream, must(here.instantiate(must(here.end_capture(stream))))));
  }
  channel.send(outcome(here.synchronize(stream)));
  channel.send(outcome(here.is_done(before)));
  channel.send(outcome(here.allocate(Allocation::device, 0, 64)));
  channel.send(outcome(here.create_stream(0)));
  channel.send(called.load());
}

TEST(Errors, OfWorkStay) {
  for (const bool is_captured : {false, true}) {
    Peer peer(use_nothing);
    peer.channel().send(is_captured);
    for (int call = 0; call < 3; ++call) {
      EXPECT_EQ(peer.channel().receive<int>(), failed_with(ErrorCode::io));
    }
    EXPECT_NE(peer.channel().receive<int>(), 0);
    EXPECT_EQ(peer.channel().receive<int>(), 0) << "a host function ran after work that failed";
  }
  // It is the peer's trouble alone.
  const Stream stream(runtime());
  must(runtime().synchronize(stream));
}

}  // namespace

std::vector<Role*> roles() {
  return {add_one, write_by_descriptors, wait_for_event, write_five, use_nothing};
}

}  // namespace rondo::test
