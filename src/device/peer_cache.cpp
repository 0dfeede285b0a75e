#include "device/peer_cache.hpp"

#include <iterator>
#include <utility>

#include "base/invariant.hpp"
#include "base/text.hpp"

namespace rondo {

PeerCache::PeerCache(DeviceRuntime& runtime, int device, ProcessName self, Bounds bounds)
    : runtime_(runtime), device_(device), self_(self), bounds_(bounds) {}

PeerCache::~PeerCache() {
  while (!entries_.empty()) close(entries_.begin());
}

Result<void*> PeerCache::open(const PeerMemory& memory, const MemoryParts* parts) {
  return memory.has_parts ? runtime_.map_parts(device_, *parts)
                          : runtime_.open_memory(device_, memory.handle);
}

Result<void*> PeerCache::acquire(const PeerMemory& memory, const MemoryParts* parts) {
  if (memory.owner == self_) return reinterpret_cast<void*>(memory.base);
  if (const auto known = by_key_.find({memory.owner, memory.id}); known != by_key_.end()) {
    Entry& entry = *known->second;
    entries_.splice(entries_.end(), entries_, known->second);
    if (entry.refusal) return *entry.refusal;
    if (entry.is_withdrawn) {
      return Error(ErrorCode::invalid_argument, "memory of a peer that is about to be freed");
    }
    ++entry.users;
    return entry.place;
  }
  RONDO_INVARIANT(memory.has_parts && parts == nullptr, ==, false);
  if (Result<> done = close_stale(memory); !done) return done.error();
  if (Result<> done = make_room(memory.size); !done) return done.error();
  const Result<void*> opened = open(memory, parts);
  Entry entry{.memory = memory};
  if (opened) {
    entry.place = opened.value();
    entry.users = 1;
    bytes_ += memory.size;
  } else {
    entry.refusal = opened.error();
  }
  entries_.push_back(std::move(entry));
  by_key_[{memory.owner, memory.id}] = std::prev(entries_.end());
  return opened;
}

void PeerCache::release(const PeerMemory& memory) {
  if (memory.owner == self_) return;
  const auto known = by_key_.find({memory.owner, memory.id});
  RONDO_INVARIANT(known != by_key_.end(), ==, true);
  Entry& entry = *known->second;
  RONDO_INVARIANT(entry.users, >, 0u);
  if (--entry.users > 0 || !entry.is_withdrawn) return;
  closed_.push_back(known->first);
  close(known->second);
}

// What was at these addresses is gone, though its owner has not said so. What goes by descriptors
// is still there for those who use it.
Result<> PeerCache::close_stale(const PeerMemory& memory) {
  for (auto entry = entries_.begin(); entry != entries_.end();) {
    const auto next = std::next(entry);
    const PeerMemory& old = entry->memory;
    if (old.owner == memory.owner && old.base < memory.base + memory.size &&
        memory.base < old.base + old.size) {
      if (entry->users > 0 && old.has_parts) {
        entry = next;
        continue;
      }
      if (entry->users > 0) {
        return Error(ErrorCode::invalid_argument,
                     concat("memory of a peer was freed while it was in use: ", old.size,
                            " bytes, allocation ", old.id));
      }
      close(entry);
    }
    entry = next;
  }
  return {};
}

Result<> PeerCache::make_room(std::size_t bytes) {
  auto entry = entries_.begin();
  while (entries_.size() >= bounds_.entries || bytes_ + bytes > bounds_.bytes) {
    while (entry != entries_.end() && entry->users > 0) ++entry;
    if (entry == entries_.end()) {
      return Error(ErrorCode::resource,
                   concat("no room to open ", bytes, " bytes of a peer's memory: ", entries_.size(),
                          " allocations of ", bytes_, " bytes are in use"));
    }
    close(entry++);
  }
  return {};
}

// An error says that it is closed already, or that the device is of no use any more.
void PeerCache::close(Entries::iterator entry) {
  if (!entry->refusal) {
    const Result<> closed = entry->memory.has_parts ? runtime_.unmap_parts(entry->place)
                                                    : runtime_.close_memory(entry->place);
    static_cast<void>(closed.ok());
    bytes_ -= entry->memory.size;
  }
  by_key_.erase({entry->memory.owner, entry->memory.id});
  entries_.erase(entry);
}

bool PeerCache::withdraw(ProcessName owner, std::uint64_t id) {
  const auto known = by_key_.find({owner, id});
  if (known == by_key_.end()) return true;
  if (known->second->users > 0) {
    known->second->is_withdrawn = true;
    return false;
  }
  close(known->second);
  return true;
}

void PeerCache::drop(ProcessName owner) {
  for (auto entry = entries_.begin(); entry != entries_.end();) {
    const auto next = std::next(entry);
    if (entry->memory.owner == owner) {
      if (entry->users > 0) {
        entry->is_withdrawn = true;
      } else {
        close(entry);
      }
    }
    entry = next;
  }
}

std::vector<std::pair<ProcessName, std::uint64_t>> PeerCache::take_closed() {
  return std::exchange(closed_, {});
}

}  // namespace rondo
