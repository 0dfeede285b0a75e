#include "bench/arena.hpp"

#include <algorithm>
#include <cstring>
#include <new>

#include "rondo/memory.hpp"

namespace rondo::bench {

namespace {

constexpr std::align_val_t page{4096};
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

void Arena::Free::operator()(std::byte* memory) const {
  if (is_shared) return rondo::deallocate(memory);
  ::operator delete[](memory, page);
}

Arena::Area Arena::allocate(std::size_t bytes, bool is_shared) {
  bytes += 2 * guard_bytes;
  void* const memory = is_shared ? rondo::allocate(bytes) : ::operator new[](bytes, page);
  return {static_cast<std::byte*>(memory), Free{is_shared}};
}

Arena::Arena(std::size_t largest, std::size_t calls, bool is_shared)
    : capacity_(
          std::max(whole_lines(largest), std::min(rotation_bytes, whole_lines(largest) * calls))),
      send_(allocate(capacity_, is_shared)),
      receive_(allocate(capacity_, is_shared)) {}

std::size_t Arena::stride(const Case& c) {
  return whole_lines(c.bytes());
}

Place Arena::at(const Case& c, int rank, std::size_t i) const {
  const std::size_t offset = guard_bytes + i % (capacity_ / stride(c)) * stride(c);
  std::byte* const send = send_.get() + offset;
  std::byte* const receive = receive_.get() + offset;
  if (!c.in_place) return {send, receive};
  const std::size_t own_block = static_cast<std::size_t>(rank) * c.count * size_of(c.dtype);
  if (gives_own_block(*c.collective)) return {receive + own_block, receive};
  if (gets_own_block(*c.collective)) return {receive, receive + own_block};
  return {receive, receive};
}

void Arena::clear(const Case& c, std::size_t calls) {
  const std::size_t used = std::min(capacity_, stride(c) * calls) + 2 * guard_bytes;
  std::memset(send_.get(), 0, used);
  std::memset(receive_.get(), 0, used);
}

std::array<std::byte*, 4> Arena::guards(const Case& c) const {
  // In place, the longer side lies in the receive area, and the send area is not used.
  const std::size_t sent = c.in_place ? c.bytes() : c.send_elements() * size_of(c.dtype);
  const std::size_t received = c.in_place ? c.bytes() : c.receive_elements() * size_of(c.dtype);
  return {send_.get(), send_.get() + guard_bytes + sent, receive_.get(),
          receive_.get() + guard_bytes + received};
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
