#include "transport/shm/regions.hpp"

#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <fstream>
#include <span>

#include "base/text.hpp"
#include "transport/shm/passing.hpp"
#include "transport/shm/remapping.hpp"

namespace rondo::process {

namespace {

constexpr std::size_t most_bytes = PTRDIFF_MAX;

// What is told of a region; its descriptor comes with it.
struct RegionNote {
  Bits128 id = {};
  std::uint64_t bytes = 0;
};

// Pages that only this process can have.
Result<Region> make_own_pages(std::size_t bytes) {
  void* const data =
      ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (data == MAP_FAILED) return system_error(concat("no memory of ", bytes, " bytes"), errno);
  Region region;
  region.mapping = std::make_shared<Mapping>(static_cast<std::byte*>(data), bytes);
  region.owner = ::getpid();
  return region;
}

// Without its mapping.
Result<Region> make_region(std::size_t bytes) {
  Region region;
  if (::getrandom(region.id.data(), region.id.size(), 0) !=
      static_cast<ssize_t>(region.id.size())) {
    return system_error("no random bits", errno);
  }
  Result<Descriptor> memory = make_memory(bytes);
  if (!memory) return memory.error();
  region.memory = std::move(memory).value();
  region.owner = ::getpid();
  return region;
}

// At once, whoever still has them mapped.
void free_pages(const Region& region) {
  if (!region.memory) return;
  (void)::fallocate(region.memory.fd(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
                    static_cast<off_t>(region.mapping->bytes()));
}

Error refusal(std::string_view why) {
  return Error(ErrorCode::invalid_argument, concat("cannot register memory: ", why));
}

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
  if (bytes > most_bytes) {
    return Error(ErrorCode::resource, concat("there is no memory of ", bytes, " bytes"));
  }
  const std::size_t whole = whole_pages(std::max<std::size_t>(bytes, 1));
  Result<Region> made = make_region(whole);
  if (!made && made.error().code() == ErrorCode::unsupported) made = make_own_pages(whole);
  if (!made) return made.error();
  Region region = std::move(made).value();
  if (!region.mapping) {
    Result<std::shared_ptr<Mapping>> mapping = map_memory(region.memory, whole, true);
    if (!mapping) return mapping.error();
    region.mapping = std::move(mapping).value();
  }
  std::byte* const data = region.mapping->data();
  const std::lock_guard lock(mutex_);
  add(data, std::move(region));
  return data;
}

void Regions::deallocate(const std::byte* memory) noexcept {
  if (memory == nullptr) return;
  std::shared_ptr<const Region> region;
  {
    const std::lock_guard lock(mutex_);
    const auto found = by_address_.find(memory);
    if (found == by_address_.end() || found->second->is_registered) return;
    region = take(memory);
  }
  if (region) free_pages(*region);
}

Result<> Regions::register_memory(std::byte* memory, std::size_t bytes) {
  if (memory == nullptr) return refusal("null is no memory");
  if (bytes > UINTPTR_MAX - reinterpret_cast<std::uintptr_t>(memory)) {
    return refusal(concat("there is no memory of ", bytes, " bytes"));
  }
  const Pages pages = pages_inside(memory, bytes);
  const std::lock_guard lock(mutex_);
  if (overlaps(memory, bytes)) {
    return refusal(
        "it overlaps memory that is registered already, or that rondo::allocate() gave; give that "
        "back first");
  }
  Registration registration{bytes, ::getpid(), nullptr};
  if (pages.bytes > 0) {
    std::ifstream maps("/proc/self/maps");
    const std::string objection = why_not_remapped(pages, maps);
    if (!objection.empty()) {
      return refusal(concat("a part of it ", objection,
                            "; only private memory of no file can be registered, as malloc gives "
                            "it, or memory of rondo::allocate() be used instead"));
    }
    Result<Region> made = make_region(pages.bytes);
    if (!made) return made.error();
    Region region = std::move(made).value();
    if (Result<> shared = make_shared(pages, region.memory); !shared) return shared;
    region.mapping = std::make_shared<Mapping>(pages.begin, pages.bytes, true);
    region.is_registered = true;
    registration.region = pages.begin;
    add(pages.begin, std::move(region));
  }
  registered_[memory] = registration;
  return {};
}

Result<> Regions::deregister_memory(const std::byte* memory) {
  const std::lock_guard lock(mutex_);
  const auto found = registered_.find(memory);
  if (found == registered_.end() || found->second.owner != ::getpid()) {
    return Error(ErrorCode::invalid_argument,
                 "cannot deregister memory: this process has registered none that begins there");
  }
  if (const std::byte* const data = found->second.region) {
    const Mapping& mapping = *by_address_.find(data)->second->mapping;
    if (Result<> kept = make_private({mapping.data(), mapping.bytes()}); !kept) return kept;
    free_pages(*take(data));
  }
  registered_.erase(found);
  return {};
}

bool Regions::overlaps(const std::byte* memory, std::size_t bytes) const {
  const std::byte* const end = memory + bytes;
  const bool is_registered = std::any_of(registered_.begin(), registered_.end(), [&](auto& known) {
    const auto& [begin, registration] = known;
    return begin == memory || (begin < end && memory < begin + registration.bytes);
  });
  return is_registered || std::any_of(by_address_.begin(), by_address_.end(), [&](auto& known) {
           return known.first < end && memory < known.first + known.second->mapping->bytes();
         });
}

void Regions::add(const std::byte* data, Region region) {
  by_address_[data] = std::make_shared<const Region>(std::move(region));
  count_.store(by_address_.size(), std::memory_order_relaxed);
}

// Null where it is another process's.
std::shared_ptr<const Region> Regions::take(const std::byte* data) {
  const auto found = by_address_.find(data);
  if (found->second->owner != ::getpid()) return nullptr;
  std::shared_ptr<const Region> region = std::move(found->second);
  by_address_.erase(found);
  count_.store(by_address_.size(), std::memory_order_relaxed);
  return region;
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
  return is_inside && region->memory && region->owner == ::getpid() ? region : nullptr;
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
