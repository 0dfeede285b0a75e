#include "transport/shm/segment.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <map>
#include <mutex>
#include <new>
#include <thread>

#include "base/text.hpp"
#include "transport/shm/fence.hpp"

namespace rondo::process {

namespace {

// The segments that this process owns: ranks may be threads, and tools that watch threads know
// memory by its address. Where a fork came in the middle of a change the lock is never free again;
// then memory is mapped once more.
class OwnSegments {
 public:
  void add(const Bits128& id, const std::shared_ptr<Mapping>& mapping) {
    if (const Lock lock = acquire()) all_[id] = mapping;
  }
  void remove(const Bits128& id) {
    if (const Lock lock = acquire()) all_.erase(id);
  }
  std::shared_ptr<const Mapping> find(const Bits128& id) {
    const Lock lock = acquire();
    if (!lock) return nullptr;
    const auto found = all_.find(id);
    return found == all_.end() ? nullptr : found->second.lock();
  }

 private:
  using Lock = std::unique_lock<std::mutex>;

  Lock acquire() {
    constexpr int most_tries = 1000;
    Lock lock(mutex_, std::try_to_lock);
    for (int i = 0; i < most_tries && !lock; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      (void)lock.try_lock();
    }
    return lock;
  }

  std::mutex mutex_;
  std::map<Bits128, std::weak_ptr<const Mapping>> all_;
};

// Never destroyed: segments may be, after everything else.
OwnSegments& own_segments() {
  static auto* const segments = new OwnSegments;
  return *segments;
}

}  // namespace

std::size_t MemoryBudget::take(std::size_t peers, std::size_t least, std::size_t most) {
  // Two channels each, which most schedules are content with.
  const std::size_t share = whole_ / (2 * std::max<std::size_t>(peers, 1));
  // The first link is that of the world, most often, and used most.
  return take_of(least, most, [this, share](std::size_t left) {
    return std::min(share, left == whole_ ? left / 3 : left / 8);
  });
}

std::size_t MemoryBudget::take_quarter(std::size_t least, std::size_t most) {
  // Later links need what little there is more than this.
  if (left() / 4 < least) return 0;
  return take_of(least, most, [](std::size_t left) { return left / 4; });
}

template <class Wanted>
std::size_t MemoryBudget::take_of(std::size_t least, std::size_t most, Wanted wanted) {
  std::size_t taken = taken_.load(std::memory_order_relaxed);
  for (;;) {
    const std::size_t bytes = std::clamp(wanted(left_after(taken)), least, most);
    if (taken_.compare_exchange_weak(taken, taken + bytes, std::memory_order_relaxed)) return bytes;
  }
}

Mapping::~Mapping() {
  if (!is_kept_) ::munmap(data_, bytes_);
}

std::size_t whole_pages(std::size_t bytes) {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return (bytes + page - 1) / page * page;
}

Result<Descriptor> make_memory(std::size_t bytes) {
  // To exceed it would end the process.
  rlimit limit = {};
  if (::getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
      whole_pages(bytes) > limit.rlim_cur) {
    return Error(ErrorCode::resource,
                 concat("cannot make shared memory of ", bytes,
                        " bytes: this process may not make files of more than ", limit.rlim_cur,
                        " (ulimit -f)"));
  }
  Descriptor memory(::memfd_create("rondo", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!memory) {
    const int number = errno;
    const Error error = system_error("cannot make shared memory", number);
    return number == ENOSYS || number == EPERM || number == EACCES
               ? Error(ErrorCode::unsupported, error.text())
               : error;
  }
  // Readers must not find it shorter than they were told, whatever its owner does.
  if (::ftruncate(memory.fd(), static_cast<off_t>(whole_pages(bytes))) != 0 ||
      ::fcntl(memory.fd(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
    return system_error("cannot make shared memory", errno);
  }
  return memory;
}

Result<std::shared_ptr<Mapping>> map_memory(const Descriptor& memory, std::size_t bytes,
                                            bool is_own) {
  const int protection = is_own ? PROT_READ | PROT_WRITE : PROT_READ;
  void* const data = ::mmap(nullptr, bytes, protection, MAP_SHARED, memory.fd(), 0);
  if (data == MAP_FAILED) return system_error("cannot map shared memory", errno);
  return std::make_shared<Mapping>(static_cast<std::byte*>(data), bytes);
}

void populate(const std::byte* data, std::size_t bytes, bool is_own) {
#if defined(MADV_POPULATE_READ) && defined(MADV_POPULATE_WRITE)
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const auto address = reinterpret_cast<std::uintptr_t>(data);
  const std::size_t before = address % page;
  (void)::madvise(reinterpret_cast<void*>(address - before), whole_pages(before + bytes),
                  is_own ? MADV_POPULATE_WRITE : MADV_POPULATE_READ);
#else
  (void)data, (void)bytes, (void)is_own;
#endif
}

bool is_as_long(const Descriptor& memory, std::size_t bytes) {
  struct stat status = {};
  const int seals = ::fcntl(memory.fd(), F_GET_SEALS);
  return ::fstat(memory.fd(), &status) == 0 && seals >= 0 && (seals & F_SEAL_SHRINK) != 0 &&
         status.st_size == static_cast<off_t>(bytes);
}

Result<std::unique_ptr<Segment>> Segment::make(std::size_t bytes) {
  Result<Descriptor> memory = make_memory(bytes);
  if (!memory) return memory.error();
  Result<std::shared_ptr<Mapping>> mapping = map_memory(memory.value(), whole_pages(bytes), true);
  if (!mapping) return mapping.error();
  Bits128 id = {};
  if (::getrandom(id.data(), id.size(), 0) != static_cast<ssize_t>(id.size())) {
    return system_error("no random bits", errno);
  }
  auto* const head = new (mapping.value()->data()) SegmentHead;
  head->id = id;
  head->has_fences_everywhere.store(has_fences_everywhere() ? 1 : 0, std::memory_order_relaxed);
  return std::unique_ptr<Segment>(
      new Segment(std::move(memory).value(), std::move(mapping).value()));
}

Segment::Segment(Descriptor memory, std::shared_ptr<Mapping> mapping)
    : memory_(std::move(memory)), mapping_(std::move(mapping)), used_(sizeof(SegmentHead)) {
  own_segments().add(head().id, mapping_);
}

Segment::~Segment() {
  own_segments().remove(head().id);
}

std::size_t Segment::allocate(std::size_t bytes) {
  const std::size_t begin = (used_ + alignment - 1) / alignment * alignment;
  if (bytes > this->bytes() || begin > this->bytes() - bytes) return 0;
  used_ = begin + bytes;
  return begin;
}

Result<std::shared_ptr<const Mapping>> map_segment(const Descriptor& memory, const Bits128& id,
                                                   std::size_t bytes) {
  const Error wrong(ErrorCode::unsupported, "what it passed is not the shared memory it spoke of");
  if (bytes < sizeof(SegmentHead)) return wrong;
  if (std::shared_ptr<const Mapping> own = own_segments().find(id)) {
    if (own->bytes() != bytes) return wrong;
    return own;
  }
  if (!is_as_long(memory, bytes)) return wrong;
  Result<std::shared_ptr<Mapping>> mapping = map_memory(memory, bytes, false);
  if (!mapping) return mapping.error();
  const auto* const head = reinterpret_cast<const SegmentHead*>(mapping.value()->data());
  if (!same_bits(head->id, id)) return wrong;
  return std::shared_ptr<const Mapping>(std::move(mapping).value());
}

}  // namespace rondo::process
