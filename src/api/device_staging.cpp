#include "api/device_staging.hpp"

#include <algorithm>
#include <chrono>
#include <thread>

#include "api/refuse.hpp"
#include "api/stream_handover.hpp"
#include "api/value_or_throw.hpp"
#include "base/text.hpp"

namespace rondo {

namespace {

constexpr std::size_t line = 64;
constexpr std::size_t words_bytes = 2 * line;
// Beginnings of pages are copied fastest.
constexpr std::size_t page = 4096;

std::size_t whole_pages(std::size_t bytes) {
  return (bytes + page - 1) / page * page;
}

std::size_t bytes_for(const BuffersInUse& used) {
  return whole_pages(used.send_bytes) + used.receive_bytes;
}

}  // namespace

/// One call, and where its bytes are meanwhile.
struct DeviceStaging::Turn {
  const ErasedCall& call;
  const BuffersInUse& used;
  DeviceStream stream;
  std::byte* send;
  std::byte* receive;

  ErasedCall in_host_memory() const {
    ErasedCall staged = call;
    staged.send = send;
    staged.receive = receive;
    return staged;
  }
};

DeviceStaging::~DeviceStaging() {
  if (last_.native == nullptr) return;
  // Until no stream uses the memory any more; one that failed uses nothing.
  while (true) {
    const Result<bool> done = runtime_.is_done(last_);
    if (!done || done.value()) break;
    std::this_thread::sleep_for(std::chrono::microseconds(50));
  }
  static_cast<void>(runtime_.destroy_event(last_).ok());
  for (void* const memory : all_) {
    static_cast<void>(runtime_.deallocate(Allocation::pinned, memory).ok());
  }
}

// What is too small is kept until the end: to free it would be to wait for the whole device, on
// which another rank's stream may be waiting for this one. Together they are less than three times
// as large as the largest.
void DeviceStaging::reserve(std::size_t bytes) {
  if (last_.native == nullptr) last_ = value_or_throw(runtime_.create_event(device_, false));
  if (!all_.empty() && bytes <= bytes_) return;
  const std::size_t wanted = whole_pages(std::max(bytes, bytes_ + bytes_ / 2));
  all_.reserve(all_.size() + 1);
  all_.push_back(value_or_throw(runtime_.allocate(Allocation::pinned, device_, page + wanted)));
  bytes_ = wanted;
  std::fill_n(static_cast<std::uint32_t*>(all_.back()), words_bytes / sizeof(std::uint32_t),
              turns_);
}

std::shared_ptr<PendingOperation> DeviceStaging::start(
    Engine& engine, const ErasedCall& call, const BuffersInUse& used, void* stream,
    const std::function<Operation(const ErasedCall&)>& prepare) {
  reserve(bytes_for(used));
  auto* const begin = static_cast<std::byte*>(all_.back());
  const Turn turn = turn_in(begin + page, call, used, stream);
  Operation operation = prepare(turn.in_host_memory());
  auto* const given = reinterpret_cast<std::uint32_t*>(begin);
  auto* const taken = reinterpret_cast<std::uint32_t*>(begin + line);
  const auto handover =
      std::make_shared<StreamHandover>(runtime_, turn.stream, last_, given, taken, turns_ + 1);
  operation.handover = handover;
  // First the engine: a stream that waits for an operation that was refused would wait for ever.
  std::shared_ptr<PendingOperation> pending = engine.start(std::move(operation));
  ++turns_;
  handover->give([&] { return copy_in(turn); }, [&] { return copy_out(turn); });
  return pending;
}

std::shared_ptr<PendingOperation> DeviceStaging::capture(
    CapturedCalls& calls, const ErasedCall& call, const BuffersInUse& used, void* stream,
    const std::function<Operation(const ErasedCall&)>& prepare) {
  PinnedPool::Area area = calls.reserve(device_, bytes_for(used));
  const Turn turn = turn_in(area.data(), call, used, stream);
  return calls.capture(
      turn.stream, prepare(turn.in_host_memory()), std::move(area), [&] { return copy_in(turn); },
      [&] { return copy_out(turn); });
}

DeviceStaging::Turn DeviceStaging::turn_in(std::byte* memory, const ErasedCall& call,
                                           const BuffersInUse& used, void* stream) const {
  return {.call = call,
          .used = used,
          .stream = {stream, device_},
          .send = memory,
          .receive = memory + whole_pages(used.send_bytes)};
}

Result<> DeviceStaging::copy(DeviceStream stream, void* to, const void* from, std::size_t bytes) {
  return bytes > 0 ? runtime_.copy(stream, to, from, bytes) : Result<>();
}

Result<> DeviceStaging::copy_in(const Turn& turn) {
  const BuffersInUse& used = turn.used;
  Result<> done = copy(turn.stream, turn.send, turn.call.send, used.send_bytes);
  // What lies between blocks stays as it is.
  if (done && turn.call.uneven) {
    done = copy(turn.stream, turn.receive, turn.call.receive, used.receive_bytes);
  }
  return done;
}

Result<> DeviceStaging::copy_out(const Turn& turn) {
  return copy(turn.stream, turn.call.receive, turn.receive, turn.used.receive_bytes);
}

int device_of(DeviceRuntime& runtime, const ErasedCall& call, const BuffersInUse& used) {
  int device = -1;
  const auto look = [&](const char* what, const void* buffer, std::size_t bytes) {
    if (bytes == 0) return;
    const MemoryInfo info = value_or_throw(runtime.describe(buffer));
    if (info.kind == MemoryKind::host) {
      refuse(concat(name(call.collective), " on a stream: the ", what,
                    " buffer is host memory that ",
                    "is not pinned; give device memory, or make the call without a stream"));
    }
    if (device < 0 || info.kind == MemoryKind::device) device = info.device;
  };
  look("send", call.send, used.send_bytes);
  look("receive", call.receive, used.receive_bytes);
  return std::max(device, 0);
}

}  // namespace rondo
