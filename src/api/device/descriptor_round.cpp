#include "api/device/descriptor_round.hpp"

#include <poll.h>

#include <algorithm>
#include <array>
#include <chrono>

#include "base/text.hpp"
#include "transport/shm/door.hpp"
#include "transport/shm/passing.hpp"

namespace rondo {

namespace {

using process::Clock;
using process::Door;
using process::Socket;

constexpr std::chrono::seconds patience(10);
static_assert(MemoryParts::most_parts <= process::most_passed);

// What goes with the descriptors.
struct Note {
  std::uint64_t parts = 0;
  std::uint64_t is_in_pool = 0;
  MemoryHandle pointer;
  std::array<std::uint64_t, MemoryParts::most_parts> bytes = {};
};

class Round {
 public:
  Round(const std::vector<PeerMemory>& memories, int rank, const MemoryParts& own)
      : memories_(memories), rank_(static_cast<std::size_t>(rank)), own_(own) {}

  bool is_needed() const {
    return std::any_of(memories_.begin(), memories_.end(), [this](const PeerMemory& memory) {
      return memory.has_parts && takers_of(memory) > 0;
    });
  }

  Result<> open() {
    if (!memories_[rank_].has_parts) return {};
    Result<Door> opened = process::open_door();
    if (!opened) return opened.error();
    door_ = std::move(opened).value();
    return {};
  }
  std::uint64_t door() const { return door_.id; }

  // Who knocks need not wait until somebody opens.
  Result<> knock(const std::vector<std::uint64_t>& doors) {
    for (std::size_t rank = 0; rank < memories_.size(); ++rank) {
      Socket& socket = sockets_.emplace_back();
      if (!takes_from(rank)) continue;
      Result<Socket> reached = process::knock(doors[rank]);
      if (!reached) return reached.error().with_prefix(about(rank));
      socket = std::move(reached).value();
    }
    return {};
  }

  Result<> serve() {
    if (!memories_[rank_].has_parts) return {};
    Note note{.parts = own_.parts.size(), .is_in_pool = own_.is_in_pool, .pointer = own_.pointer};
    std::vector<int> descriptors;
    for (std::size_t i = 0; i < own_.parts.size(); ++i) {
      note.bytes[i] = own_.parts[i].bytes;
      descriptors.push_back(own_.parts[i].descriptor.fd());
    }
    for (std::size_t left = takers_of(memories_[rank_]); left > 0;) {
      Result<Socket> taker = process::accept_from(door_.listener);
      if (!taker) return taker.error();
      if (!taker.value()) {
        if (process::await(door_.listener, POLLIN, deadline_)) continue;
        return Error(ErrorCode::timeout, concat(left, " ranks did not come for descriptors"));
      }
      if (!process::is_of_same_user(taker.value())) continue;
      const int failed =
          process::pass(taker.value(), std::as_bytes(std::span(&note, 1)), descriptors);
      if (failed != 0) return system_error("cannot pass descriptors of device memory", failed);
      --left;
    }
    return {};
  }

  Result<> take(std::vector<MemoryParts>& got) {
    for (std::size_t rank = 0; rank < memories_.size(); ++rank) {
      got.emplace_back();
      if (!sockets_[rank]) continue;
      if (Result<> taken = take_from(rank, got.back()); !taken) {
        return taken.error().with_prefix(about(rank));
      }
    }
    return {};
  }

 private:
  bool takes_from(std::size_t rank) const {
    return memories_[rank].has_parts && memories_[rank].owner != memories_[rank_].owner;
  }
  std::size_t takers_of(const PeerMemory& memory) const {
    return static_cast<std::size_t>(
        std::count_if(memories_.begin(), memories_.end(),
                      [&](const PeerMemory& other) { return other.owner != memory.owner; }));
  }
  static std::string about(std::size_t rank) {
    return concat("descriptors of the memory of rank ", rank, ": ");
  }

  Result<> take_from(std::size_t rank, MemoryParts& memory) const {
    Note note;
    std::array<Descriptor, MemoryParts::most_parts> passed;
    if (!process::await(sockets_[rank], POLLIN, deadline_)) {
      return Error(ErrorCode::timeout, "they did not come");
    }
    const ssize_t n =
        process::take_passed(sockets_[rank], std::as_writable_bytes(std::span(&note, 1)), passed);
    if (n < 0) return system_error("they did not come", errno);
    if (n != sizeof note || note.parts == 0 || note.parts > MemoryParts::most_parts) {
      return Error(ErrorCode::unsupported, "something else came");
    }
    if (!passed[note.parts - 1]) {
      return Error(ErrorCode::resource, "some did not come; raise the limit (ulimit -n)");
    }
    memory.size = memories_[rank].size;
    memory.id = memories_[rank].id;
    memory.is_in_pool = note.is_in_pool != 0;
    memory.pointer = note.pointer;
    for (std::size_t i = 0; i < note.parts; ++i) {
      memory.parts.push_back({std::move(passed[i]), note.bytes[i]});
    }
    return {};
  }

  const std::vector<PeerMemory>& memories_;
  const std::size_t rank_;
  const MemoryParts& own_;
  const Clock::time_point deadline_ = Clock::now() + patience;
  Door door_;
  std::vector<Socket> sockets_;  // by rank
};

}  // namespace

Result<bool> pass_parts(Exchange& exchange, const std::vector<PeerMemory>& memories,
                        const MemoryParts& own, const Agreement& agree,
                        std::vector<MemoryParts>& got) {
  Round round(memories, exchange.rank(), own);
  if (!round.is_needed()) {
    got.resize(memories.size());
    return true;
  }
  Result<> fine = round.open();
  const std::uint64_t door = round.door();
  const auto doors = gather(exchange, std::span<const std::uint64_t>(&door, 1));
  if (!doors) return doors.error();
  Result<bool> agreed = agree(fine);
  if (!agreed || !agreed.value()) return agreed;
  fine = round.knock(doors.value());
  agreed = agree(fine);
  if (!agreed || !agreed.value()) return agreed;
  fine = round.serve();
  if (fine) fine = round.take(got);
  return agree(fine);
}

}  // namespace rondo
