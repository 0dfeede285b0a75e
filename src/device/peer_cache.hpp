#pragma once

// Memory of other processes that this one has open. To open and to close it may wait for a whole
// device, so what was opened stays open, up to a bound. One thread at a time.
//
// Before a process frees what it has exported, all who were told of it close it and say so: that is
// for the caller.

#include <compare>
#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <vector>

#include "device/runtime.hpp"
#include "rondo/error.hpp"

namespace rondo {

/// A process, as nobody else is named: equal process numbers exist in different namespaces, and
/// later for other processes.
struct ProcessName {
  std::uint64_t host = 0;
  std::uint64_t process = 0;
  auto operator<=>(const ProcessName&) const = default;
};

/// An allocation of another process, as that one tells of it. Its address alone says nothing: once
/// freed, it comes back with other memory.
struct PeerMemory {
  ProcessName owner;
  std::uint64_t base = 0;  ///< an address there
  std::size_t size = 0;
  std::uint64_t id = 0;  ///< MemoryInfo::id there
  MemoryHandle handle;
  bool has_parts = false;  ///< it goes by descriptors instead
};

class PeerCache {
 public:
  struct Bounds {
    std::size_t entries = 256;
    std::size_t bytes = std::size_t{64} << 30;  ///< addresses, which others' memory takes here
  };

  PeerCache(DeviceRuntime& runtime, int device, ProcessName self, Bounds bounds);
  PeerCache(const PeerCache&) = delete;
  PeerCache& operator=(const PeerCache&) = delete;
  /// Closes everything; nothing is in use any more.
  ~PeerCache();

  /// Where that allocation begins in this process, which stays so until release(); opened if it is
  /// not yet, for which others are closed that have not been used for longest. This process's own
  /// memory is where it is. Errors: what the runtime says, also later without being asked again;
  /// resource, where all else is in use. In any case other ways to the memory are left.
  /// `parts`: of memory that goes by descriptors, which are of no more use afterwards.
  Result<void*> acquire(const PeerMemory& memory, const MemoryParts* parts = nullptr);
  void release(const PeerMemory& memory);

  /// Its owner is going to free it. True when it is closed; false where it is still in use: then
  /// the last release() closes it, and take_closed() tells.
  bool withdraw(ProcessName owner, std::uint64_t id);
  /// The process has ended, and with it its memory.
  void drop(ProcessName owner);
  /// What withdraw() was told of and is closed by now, once: for the owner to be told.
  std::vector<std::pair<ProcessName, std::uint64_t>> take_closed();

  std::size_t entries() const { return entries_.size(); }
  std::size_t bytes() const { return bytes_; }

 private:
  struct Entry {
    PeerMemory memory;
    void* place = nullptr;
    std::size_t users = 0;
    bool is_withdrawn = false;
    std::optional<Error> refusal = {};  // it could not be opened
  };
  using Entries = std::list<Entry>;  // the last one was used last
  using Key = std::pair<ProcessName, std::uint64_t>;

  Result<void*> open(const PeerMemory& memory, const MemoryParts* parts);
  Result<> make_room(std::size_t bytes);
  Result<> close_stale(const PeerMemory& memory);
  void close(Entries::iterator entry);

  DeviceRuntime& runtime_;
  const int device_;
  const ProcessName self_;
  const Bounds bounds_;
  std::size_t bytes_ = 0;
  Entries entries_;
  std::map<Key, Entries::iterator> by_key_;
  std::vector<Key> closed_;
};

}  // namespace rondo
