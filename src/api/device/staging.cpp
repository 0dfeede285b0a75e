#include "api/device/staging.hpp"

#include <algorithm>

#include "api/device/looking.hpp"
#include "api/device/stream_handover.hpp"
#include "api/refuse.hpp"
#include "api/value_or_throw.hpp"
#include "base/text.hpp"

namespace rondo {

namespace {

constexpr std::size_t line = 64;
constexpr std::size_t words_bytes = 2 * line;
// Beginnings of pages are copied fastest.
constexpr std::size_t page = 4096;

// To copy as many bytes takes some ten times as long as to hand a copy over.
constexpr std::size_t least_chunk = std::size_t{1} << 20;
// What cannot overlap is the first chunk on its way in, and the last one on its way out.
constexpr std::size_t most_chunks = 16;
// A stream of CUDA holds some thousand pieces of work, two a chunk; who gives it more waits inside
// the driver, which the engine may want to ask meanwhile.
constexpr std::size_t most_chunks_under_way = 256;
constexpr std::size_t most_orders = 64;

std::size_t whole_pages(std::size_t bytes) {
  return (bytes + page - 1) / page * page;
}

std::size_t chunk_bytes(std::size_t bytes) {
  return whole_pages(std::max(least_chunk, (bytes + most_chunks - 1) / most_chunks));
}

}  // namespace

/// One call, and where its bytes are meanwhile.
struct DeviceStaging::Turn {
  const ErasedCall& call;
  const BuffersInUse& used;
  DeviceStream stream;
  std::byte* send;
  std::byte* receive;
  const ChunkOrder* chunks = nullptr;  // null: whole

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
  await_end(runtime_, last_);
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
  const Places places = place(call, used);
  reserve(places.bytes);
  auto* const begin = static_cast<std::byte*>(all_.back());
  Turn turn = turn_in(begin + page, places, call, used, stream);
  Operation operation = prepare(turn.in_host_memory());
  const std::shared_ptr<const ChunkOrder> chunks = order_of(operation.sized, call, used);
  operation.chunks = chunks;
  turn.chunks = chunks.get();
  StreamHandover::Turns turns{.before = turns_};
  if (chunks) turns = {turns_, chunks->in().size(), chunks->out().size()};
  const auto handover = std::make_shared<StreamHandover>(
      runtime_, turn.stream, last_, reinterpret_cast<std::uint32_t*>(begin),
      reinterpret_cast<std::uint32_t*>(begin + line), turns);
  operation.handover = handover;
  // First the engine: a stream that waits for an operation that was refused would wait for ever.
  std::shared_ptr<PendingOperation> pending = engine.start(std::move(operation));
  turns_ = turns.end();
  under_way_.emplace_back(pending, turns.in + turns.out);
  chunks_under_way_ += under_way_.back().second;
  handover->give([&](std::uint32_t chunk) { return copy_in(turn, chunk); },
                 [&](std::uint32_t chunk) { return copy_out(turn, chunk); });
  return pending;
}

std::shared_ptr<PendingOperation> DeviceStaging::capture(
    CapturedCalls& calls, const ErasedCall& call, const BuffersInUse& used, void* stream,
    const std::function<Operation(const ErasedCall&)>& prepare) {
  const Places places = place(call, used);
  PinnedPool::Area area = calls.reserve(device_, places.bytes);
  const Turn turn = turn_in(area.data(), places, call, used, stream);
  return calls.capture(
      turn.stream, prepare(turn.in_host_memory()), std::move(area),
      [&] { return copy_in(turn, 1); }, [&] { return copy_out(turn, 1); });
}

DeviceStaging::Turn DeviceStaging::turn_in(std::byte* memory, const Places& places,
                                           const ErasedCall& call, const BuffersInUse& used,
                                           void* stream) const {
  return {.call = call,
          .used = used,
          .stream = {stream, device_},
          .send = memory + places.send,
          .receive = memory + places.receive};
}

// In place there, too.
DeviceStaging::Places DeviceStaging::place(const ErasedCall& call, const BuffersInUse& used) {
  const auto send = reinterpret_cast<std::uintptr_t>(call.send);
  const auto receive = reinterpret_cast<std::uintptr_t>(call.receive);
  if (send < receive + used.receive_bytes && receive < send + used.send_bytes) {
    const std::uintptr_t begin = std::min(send, receive);
    return {send - begin, receive - begin,
            std::max(send + used.send_bytes, receive + used.receive_bytes) - begin};
  }
  const std::size_t behind = whole_pages(used.send_bytes);
  return {0, behind, behind + used.receive_bytes};
}

// Null where the buffers are too short to be cut, or may not be: what lies between blocks of
// different lengths travels with them.
std::shared_ptr<const ChunkOrder> DeviceStaging::order_of(
    const std::shared_ptr<const SizedProgram>& sized, const ErasedCall& call,
    const BuffersInUse& used) {
  while (!under_way_.empty() && under_way_.front().first->done()) {
    chunks_under_way_ -= under_way_.front().second;
    under_way_.pop_front();
  }
  if (call.uneven || std::max(used.send_bytes, used.receive_bytes) <= least_chunk ||
      chunks_under_way_ + 2 * most_chunks > most_chunks_under_way) {
    return nullptr;
  }
  if (const auto known = orders_.find(sized); known != orders_.end()) return known->second;
  if (orders_.size() >= most_orders) orders_.clear();
  const ChunkOrder::Bytes bytes{used.send_bytes, used.receive_bytes};
  return orders_[sized] = std::make_shared<const ChunkOrder>(
             *sized, bytes, ChunkOrder::Bytes{chunk_bytes(bytes.in), chunk_bytes(bytes.out)});
}

Result<> DeviceStaging::copy(DeviceStream stream, void* to, const void* from, std::size_t bytes) {
  return bytes > 0 ? runtime_.copy(stream, to, from, bytes) : Result<>();
}

Result<> DeviceStaging::copy_in(const Turn& turn, std::uint32_t chunk) {
  const BuffersInUse& used = turn.used;
  if (turn.chunks != nullptr) {
    const auto [offset, bytes] = turn.chunks->in().extent(chunk);
    return copy(turn.stream, turn.send + offset,
                static_cast<const std::byte*>(turn.call.send) + offset, bytes);
  }
  Result<> done = copy(turn.stream, turn.send, turn.call.send, used.send_bytes);
  // What lies between blocks stays as it is.
  if (done && turn.call.uneven) {
    done = copy(turn.stream, turn.receive, turn.call.receive, used.receive_bytes);
  }
  return done;
}

Result<> DeviceStaging::copy_out(const Turn& turn, std::uint32_t chunk) {
  if (turn.chunks != nullptr) {
    const auto [offset, bytes] = turn.chunks->out().extent(chunk);
    return copy(turn.stream, static_cast<std::byte*>(turn.call.receive) + offset,
                turn.receive + offset, bytes);
  }
  return copy(turn.stream, turn.call.receive, turn.receive, turn.used.receive_bytes);
}

namespace {

// How many of the bytes lie in the allocation that is described, and in those beside it. What has a
// handle is an allocation by itself, whatever comes after it.
std::size_t bytes_there(DeviceRuntime& runtime, const void* buffer, std::size_t bytes,
                        MemoryInfo info) {
  const auto* const begin = static_cast<const std::byte*>(buffer);
  for (;;) {
    if (info.size == 0) return bytes;  // not known
    const auto there = static_cast<std::size_t>(info.base + info.size - begin);
    if (there >= bytes || info.has_handle) return std::min(there, bytes);
    const MemoryKind kind = info.kind;
    info = value_or_throw(runtime.describe(begin + there));
    if (info.kind != kind || info.base != begin + there) return there;
  }
}

}  // namespace

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
    const std::size_t there = bytes_there(runtime, buffer, bytes, info);
    if (there < bytes) {
      refuse(concat(name(call.collective), " on a stream: the ", what, " buffer has ", bytes,
                    " bytes, and its memory ends after ", there,
                    "; give a span no longer than the allocation"));
    }
    if (device < 0 || info.kind == MemoryKind::device) device = info.device;
  };
  look("send", call.send, used.send_bytes);
  look("receive", call.receive, used.receive_bytes);
  return std::max(device, 0);
}

}  // namespace rondo
