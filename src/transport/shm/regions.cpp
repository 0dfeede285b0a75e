#include "transport/shm/regions.hpp"

#include <fcntl.h>
#include <pthread.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <span>

#include "transport/shm/passing.hpp"

namespace rondo::process {

namespace {

// What is told of a region; its descriptor comes with it.
struct RegionNote {
  Bits128 id = {};
  std::uint64_t bytes = 0;
};

}  // namespace

// Never destroyed: buffers may outlive everything else.
Regions& Regions::of_process() {
  static auto* const regions = new Regions;
  static const int guarded = ::pthread_atfork([] { regions->lock(); }, [] { regions->unlock(); },
                                              [] { regions->unlock(); });
  (void)guarded;
  return *regions;
}

Result<std::byte*> Regions::allocate(std::size_t bytes) {
  Region region;
  if (::getrandom(region.id.data(), region.id.size(), 0) !=
      static_cast<ssize_t>(region.id.size())) {
    return system_error("no random bits", errno);
  }
  Result<Descriptor> memory = make_memory(std::max<std::size_t>(bytes, 1));
  if (!memory) return memory.error();
  region.memory = std::move(memory).value();
  Result<std::shared_ptr<Mapping>> mapping =
      map_memory(region.memory, whole_pages(std::max<std::size_t>(bytes, 1)), true);
  if (!mapping) return mapping.error();
  region.mapping = std::move(mapping).value();
  region.owner = ::getpid();
  std::byte* const data = region.mapping->data();
  const std::lock_guard lock(mutex_);
  by_address_[data] = std::make_shared<const Region>(std::move(region));
  count_.store(by_address_.size(), std::memory_order_relaxed);
  return data;
}

void Regions::deallocate(const std::byte* memory) noexcept {
  if (memory == nullptr) return;
  std::shared_ptr<const Region> region;
  {
    const std::lock_guard lock(mutex_);
    const auto found = by_address_.find(memory);
    if (found == by_address_.end() || found->second->owner != ::getpid()) return;
    region = std::move(found->second);
    by_address_.erase(found);
    count_.store(by_address_.size(), std::memory_order_relaxed);
  }
  (void)::fallocate(region->memory.fd(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
                    static_cast<off_t>(region->mapping->bytes()));
}

std::shared_ptr<const Region> Regions::find(const std::byte* data, std::size_t bytes) const {
  if (count_.load(std::memory_order_relaxed) == 0) return nullptr;
  const std::lock_guard lock(mutex_);
  auto next = by_address_.upper_bound(data);
  if (next == by_address_.begin()) return nullptr;
  const auto& [begin, region] = *--next;
  const auto offset = static_cast<std::size_t>(data - begin);
  const std::size_t size = region->mapping->bytes();
  const bool is_inside = offset <= size && bytes <= size - offset;
  return is_inside && region->owner == ::getpid() ? region : nullptr;
}

std::shared_ptr<const Region> Regions::find(const Bits128& id) const {
  const std::lock_guard lock(mutex_);
  for (const auto& [address, region] : by_address_) {
    if (region->id == id && region->owner == ::getpid()) return region;
  }
  return nullptr;
}

bool RegionTalk::tell(const Region& region) {
  if (std::find(told_.begin(), told_.end(), region.id) != told_.end()) return true;
  const RegionNote note{region.id, region.mapping->bytes()};
  const std::array<int, 1> passed = {region.memory.fd()};
  if (pass(socket_, std::as_bytes(std::span(&note, 1)), passed) != 0) return false;
  told_.push_back(region.id);
  if (told_.size() > most_kept) told_.pop_front();
  return true;
}

std::shared_ptr<const Mapping> RegionTalk::find(const Bits128& id) {
  do {
    for (const Kept& kept : heard_) {
      if (kept.id == id) return kept.mapping;
    }
  } while (hear());
  return nullptr;
}

// Takes the next note, if there is one.
bool RegionTalk::hear() {
  RegionNote note;
  std::array<Descriptor, 1> passed;
  const ssize_t n = take_passed(socket_, std::as_writable_bytes(std::span(&note, 1)), passed);
  if (n != sizeof note) return false;
  Kept kept{note.id, nullptr};
  if (const std::shared_ptr<const Region> own = Regions::of_process().find(note.id)) {
    kept.mapping = own->mapping;
  } else if (passed[0] && is_as_long(passed[0], note.bytes)) {
    Result<std::shared_ptr<Mapping>> mapping = map_memory(passed[0], note.bytes, false);
    if (mapping) kept.mapping = std::move(mapping).value();
  }
  heard_.push_back(std::move(kept));
  if (heard_.size() > most_kept) heard_.pop_front();
  return true;
}

}  // namespace rondo::process
