// The rules of device/runtime.hpp for graphs, on emulated and on real devices.

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstring>
#include <functional>
#include <thread>

#include "bytes.hpp"

namespace rondo::test {
namespace {

// What the stream is given meanwhile.
DeviceGraph captured(DeviceStream stream, const std::function<void()>& work) {
  must(runtime().begin_capture(stream));
  EXPECT_EQ(must(runtime().capture_of(stream)), Capture::active);
  work();
  return must(runtime().end_capture(stream));
}

TEST(Graphs, AreCarriedOutEachTime) {
  const Memory from(runtime(), Allocation::pinned, length);
  const Memory memory(runtime(), Allocation::device, length);
  const Memory sum(runtime(), Allocation::device, length);
  const Memory words(runtime(), Allocation::pinned, 64);
  const Stream stream(runtime());
  const Stream other(runtime());
  auto* const word = words.as<std::uint32_t>();
  word[0] = 0;
  std::memset(from.bytes(), 0, length);
  put(runtime(), stream, sum.bytes(), std::vector<std::byte>(length));
  std::atomic<int> called = 0;
  const std::array<const void*, 2> sources = {sum.bytes(), memory.bytes()};
  void* const destination = sum.bytes();
  const DeviceGraph graph = captured(stream, [&] {
    must(runtime().copy(stream, memory.bytes(), from.bytes(), length));
    must(runtime().reduce(stream, {.dtype = DType::u8,
                                   .op = Op::sum,
                                   .sources = sources,
                                   .destinations = std::span(&destination, 1),
                                   .count = length}));
    must(runtime().call_host(
        stream, [](void* counter) { ++*static_cast<std::atomic<int>*>(counter); }, &called));
    must(runtime().write_value(stream, word, 1));
    must(runtime().wait_value(stream, word, 1));
  });
  EXPECT_EQ(must(runtime().capture_of(stream)), Capture::none);
  const GraphInstance instance = must(runtime().instantiate(graph));
  must(runtime().destroy_graph(graph));
  must(runtime().synchronize(stream));
  EXPECT_EQ(called, 0);
  for (const DeviceStream each : {DeviceStream(stream), DeviceStream(other)}) {
    std::memset(from.bytes(), called + 1, length);
    must(runtime().launch(each, instance));
    must(runtime().synchronize(each));
  }
  EXPECT_EQ(called, 2);
  EXPECT_EQ(word[0], 1u);
  EXPECT_EQ(get(runtime(), stream, sum.bytes()), std::vector<std::byte>(length, std::byte{3}));
  must(runtime().destroy_instance(instance));
}

// Waits where release() is called by a thread of the runtime's.
void await(const std::atomic<int>& counter, int value) {
  while (counter < value) std::this_thread::yield();
  EXPECT_EQ(counter, value);
}

TEST(Graphs, KeepObjectsAsLongAsTheyAreCarriedOut) {
  const Stream stream(runtime());
  std::atomic<int> released = 0;
  const auto release = [](void* counter) { ++*static_cast<std::atomic<int>*>(counter); };
  const DeviceGraph graph =
      captured(stream, [&] { must(runtime().keep_in_graph(stream, release, &released)); });
  const GraphInstance instance = must(runtime().instantiate(graph));
  must(runtime().destroy_graph(graph));
  must(runtime().launch(stream, instance));
  must(runtime().synchronize(stream));
  EXPECT_EQ(released, 0);
  must(runtime().destroy_instance(instance));
  await(released, 1);
  must(runtime().destroy_graph(
      captured(stream, [&] { must(runtime().keep_in_graph(stream, release, &released)); })));
  await(released, 2);
  EXPECT_FALSE(runtime().keep_in_graph(stream, release, &released).ok());
  await(released, 3);
}

TEST(Graphs, AreLeftAloneByOtherCalls) {
  const Stream stream(runtime());
  const Stream other(runtime());
  const DeviceEvent event = must(runtime().create_event(0, false));
  must(runtime().record(other, event));
  const auto call_all = [&] {
    for (const Allocation kind : {Allocation::device, Allocation::pinned}) {
      const Memory memory(runtime(), kind, length);
      EXPECT_TRUE(runtime().describe(memory.bytes()).ok());
      must(runtime().write_value(other, memory.as<std::uint32_t>(), 1));
      EXPECT_TRUE(runtime().is_done(other).ok());
      must(runtime().synchronize(other));
    }
    EXPECT_TRUE(runtime().is_done(event).ok());
    must(runtime().destroy_event(must(runtime().create_event(0, false))));
    const Stream third(runtime());
  };
  const DeviceGraph graph = captured(stream, [&] {
    call_all();
    std::thread(call_all).join();
  });
  must(runtime().destroy_graph(graph));
  must(runtime().destroy_event(event));
}

TEST(Graphs, AreLostWhereTheStreamIsAsked) {
  const Stream stream(runtime());
  EXPECT_EQ(outcome(runtime().begin_capture({})), failed_with(ErrorCode::invalid_argument));
  for (const bool asks : {true, false}) {
    must(runtime().begin_capture(stream));
    EXPECT_EQ(asks ? outcome(runtime().is_done(stream)) : outcome(runtime().synchronize(stream)),
              failed_with(ErrorCode::invalid_argument));
    EXPECT_EQ(must(runtime().capture_of(stream)), Capture::broken);
    EXPECT_EQ(outcome(runtime().end_capture(stream)), failed_with(ErrorCode::invalid_argument));
    EXPECT_EQ(must(runtime().capture_of(stream)), Capture::none);
    must(runtime().synchronize(stream));
  }
}

}  // namespace

std::vector<Role*> roles() {
  return {};
}

}  // namespace rondo::test
