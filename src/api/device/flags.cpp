#include "api/device/flags.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/text.hpp"

namespace rondo {

namespace {

constexpr std::size_t page = 4096;

}  // namespace

ProcessName own_process_name(const DeviceRuntime& runtime) {
  const std::uint64_t words[] = {static_cast<std::uint64_t>(::getpid()),
                                 reinterpret_cast<std::uintptr_t>(&runtime)};
  return {.host = 0, .process = fnv1a(std::as_bytes(std::span(words)))};
}

DeviceFlags::DeviceFlags(DeviceRuntime& runtime, int ranks,
                         std::unique_ptr<process::Segment> segment,
                         std::shared_ptr<process::Mapping> mapping, std::byte* begin)
    : runtime_(runtime),
      ranks_(ranks),
      segment_(std::move(segment)),
      mapping_(std::move(mapping)),
      begin_(begin) {}

DeviceFlags::~DeviceFlags() {
  if (pinned_ != nullptr) static_cast<void>(runtime_.unpin(pinned_).ok());
}

// The head of the segment has a page of its own.
std::size_t DeviceFlags::bytes_for(int ranks) {
  const auto lines = static_cast<std::size_t>(ranks) * static_cast<std::size_t>(ranks + own_words);
  return process::whole_pages(page + (1 + lines) * line);
}

Result<> DeviceFlags::pin() {
  std::byte* const begin = begin_ - page;
  const Result<> done = runtime_.pin(begin, bytes_for(ranks_));
  if (done) pinned_ = begin;
  return done;
}

Result<std::shared_ptr<DeviceFlags>> DeviceFlags::make(DeviceRuntime& runtime, int ranks) {
  Result<std::unique_ptr<process::Segment>> segment = process::Segment::make(bytes_for(ranks));
  if (!segment) return segment.error();
  std::byte* const begin = segment.value()->at(page);
  const std::shared_ptr<DeviceFlags> made(
      new DeviceFlags(runtime, ranks, std::move(segment).value(), nullptr, begin));
  if (Result<> pinned = made->pin(); !pinned) return pinned.error();
  return made;
}

DeviceFlags::Origin DeviceFlags::origin(const std::shared_ptr<DeviceFlags>& self) const {
  return {.owner = own_process_name(runtime_),
          .pid = ::getpid(),
          .descriptor = segment_->fd(),
          .shared = reinterpret_cast<std::uintptr_t>(&self),
          .id = segment_->head().id};
}

// Of a process of the same user, on the same host: its descriptor needs no socket to be passed.
Result<std::shared_ptr<DeviceFlags>> DeviceFlags::open(DeviceRuntime& runtime, int ranks,
                                                       const Origin& origin) {
  if (origin.owner == own_process_name(runtime)) {
    return *reinterpret_cast<const std::shared_ptr<DeviceFlags>*>(origin.shared);
  }
  const std::string path = concat("/proc/", origin.pid, "/fd/", origin.descriptor);
  const Descriptor memory(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (!memory) return system_error(concat("cannot open memory of another rank, ", path), errno);
  const std::size_t bytes = bytes_for(ranks);
  if (!process::is_as_long(memory, bytes)) {
    return Error(ErrorCode::unsupported, concat(path, " is not the memory of another rank"));
  }
  Result<std::shared_ptr<process::Mapping>> mapping = process::map_memory(memory, bytes, true);
  if (!mapping) return mapping.error();
  std::byte* const data = mapping.value()->data();
  if (!same_bits(reinterpret_cast<const process::SegmentHead*>(data)->id, origin.id)) {
    return Error(ErrorCode::unsupported, concat(path, " is not the memory of another rank"));
  }
  const std::shared_ptr<DeviceFlags> made(
      new DeviceFlags(runtime, ranks, nullptr, std::move(mapping).value(), data + page));
  if (Result<> pinned = made->pin(); !pinned) return pinned.error();
  return made;
}

}  // namespace rondo
