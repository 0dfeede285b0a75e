#include "bench/arena.hpp"

#include <algorithm>
#include <cstring>

namespace rondo::bench {

namespace {

constexpr auto guard_value = static_cast<int>(0xdb);
constexpr std::size_t line_bytes = 64;
constexpr std::size_t rotation_bytes = std::size_t{64} << 20;

std::size_t whole_lines(std::size_t bytes) {
  return std::max<std::size_t>(1, (bytes + line_bytes - 1) / line_bytes) * line_bytes;
}

std::size_t count_changed(const std::byte* guard) {
  return static_cast<std::size_t>(std::count_if(guard, guard + Arena::guard_bytes, [](std::byte b) {
    return b != static_cast<std::byte>(guard_value);
  }));
}

}  // namespace

Arena::Area::Area(BufferMemory& memory, std::size_t bytes)
    : memory_(memory), calls_(memory.allocate(bytes)), host_(calls_) {
  if (memory_.is_hosts()) return;
  try {
    host_ = host_memory().allocate(bytes);
  } catch (...) {
    memory_.deallocate(calls_);
    throw;
  }
}

Arena::Area::~Area() {
  if (host_ != calls_) host_memory().deallocate(host_);
  memory_.deallocate(calls_);
}

void Arena::Area::give(std::size_t bytes) {
  if (host_ != calls_) memory_.copy(calls_, host_, bytes);
}

void Arena::Area::take(std::size_t bytes) {
  if (host_ != calls_) memory_.copy(host_, calls_, bytes);
}

Arena::Arena(std::size_t largest, std::size_t calls, BufferMemory& memory)
    : capacity_(
          std::max(whole_lines(largest), std::min(rotation_bytes, whole_lines(largest) * calls))),
      send_(memory, capacity_ + 2 * guard_bytes),
      receive_(memory, capacity_ + 2 * guard_bytes) {}

std::size_t Arena::stride(const Case& c) {
  return whole_lines(c.bytes());
}

Place Arena::at(const Case& c, int rank, std::size_t i) const {
  const std::size_t offset = guard_bytes + i % (capacity_ / stride(c)) * stride(c);
  return place(c, rank, send_.calls() + offset, receive_.calls() + offset);
}

Place Arena::on_host(const Case& c, int rank) const {
  return place(c, rank, send_.host() + guard_bytes, receive_.host() + guard_bytes);
}

Place Arena::place(const Case& c, int rank, std::byte* send, std::byte* receive) {
  if (!c.in_place) return {send, receive};
  const std::size_t own_block = static_cast<std::size_t>(rank) * c.count * size_of(c.dtype);
  if (gives_own_block(*c.collective)) return {receive + own_block, receive};
  if (gets_own_block(*c.collective)) return {receive, receive + own_block};
  return {receive, receive};
}

void Arena::give(const Case& c) {
  const std::size_t used = stride(c) + 2 * guard_bytes;
  send_.give(used);
  receive_.give(used);
}

void Arena::take(const Case& c) {
  const std::size_t used = stride(c) + 2 * guard_bytes;
  send_.take(used);
  receive_.take(used);
}

void Arena::clear(const Case& c, std::size_t calls) {
  const std::size_t used = std::min(capacity_, stride(c) * calls) + 2 * guard_bytes;
  for (Area* const area : {&send_, &receive_}) {
    std::memset(area->host(), 0, used);
    area->give(used);
  }
}

std::array<std::byte*, 4> Arena::guards(const Case& c) const {
  // In place, the longer side lies in the receive area, and the send area is not used.
  const std::size_t sent = c.in_place ? c.bytes() : c.send_elements() * size_of(c.dtype);
  const std::size_t received = c.in_place ? c.bytes() : c.receive_elements() * size_of(c.dtype);
  return {send_.host(), send_.host() + guard_bytes + sent, receive_.host(),
          receive_.host() + guard_bytes + received};
}

void Arena::set_guards(const Case& c) {
  for (std::byte* guard : guards(c)) std::memset(guard, guard_value, guard_bytes);
}

std::size_t Arena::broken_guards(const Case& c) const {
  std::size_t broken = 0;
  for (const std::byte* guard : guards(c)) broken += count_changed(guard);
  return broken;
}

}  // namespace rondo::bench
