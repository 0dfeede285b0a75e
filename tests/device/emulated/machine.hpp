#pragma once

// A machine with devices that are threads and plain memory, so that what rondo does with devices is
// tested without one. It keeps the rules of CUDA, and above all its traps:
//
//   * Device memory cannot be touched by the host: its addresses lead nowhere. Each process sees it
//     at another address, and freed addresses are given out again at once.
//   * Kernels cannot touch memory that the host has for itself. Whoever touches memory that is not
//     there, is not there any more, or was freed by the process that exported it, ends the work of
//     its process for good.
//   * A handle stands for the whole allocation; the exporting process cannot open it; opened twice
//     it is the same place, to be closed twice.
//   * Memory runs out. Some of it has no handle, but a descriptor, or several, which stand for
//   parts
//     that lie side by side and are described each for itself; some has none of these. What goes by
//     descriptor stays while others have it mapped, but for that of a pool.
//   * What frees, opens or closes memory waits for all streams of the device.
//   * A stream that is captured must not be asked, nor waited for, and the default stream not be
//   used
//     meanwhile: that breaks the capture. A host function must not call anything here.
//
// A process is an object: several of them live in one process of the system.

#include <array>
#include <atomic>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "device/runtime.hpp"

namespace rondo::test {

/// What an allocation holds, whoever sees it.
struct Storage {
  Storage(std::uint64_t of_number, Allocation allocation, int on_device, std::size_t of_size);
  /// Of memory that is somebody else's.
  Storage(std::uint64_t of_number, std::byte* pinned, std::size_t of_size);
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;
  ~Storage();

  const std::uint64_t number;
  const Allocation kind;
  const int device;
  const std::size_t size;
  std::byte* const bytes;  // where it really is
  const bool is_borrowed = false;
  /// Of what is in parts, each but the last one.
  static constexpr std::size_t part_bytes = 1 << 14;
  /// Descriptors keep it.
  bool outlives_owner() const {
    return kind == Allocation::descriptor || kind == Allocation::parts;
  }
  std::atomic<bool> is_freed = false;  // by the process that allocated it
};

/// How far an event has come; shared by the processes that have it.
struct EventState {
  EventState(bool shared, int process) : is_shared(shared), owner(process) {}

  const bool is_shared;
  const int owner;  // a process
  std::atomic<std::uint64_t> recorded = 0;
  std::atomic<std::uint64_t> done = 0;
  std::atomic<bool> is_destroyed = false;
};

class Machine {
 public:
  explicit Machine(int devices = 1, std::size_t bytes_each = std::size_t{64} << 20);
  ~Machine();

  /// One more process, numbered from 0. It ends, by whatever cause, with its destructor; the
  /// machine outlives it.
  std::unique_ptr<DeviceRuntime> process();

  /// Opened or mapped by any process, and not closed.
  std::atomic<int> open_memories = 0;
  /// From now on no memory can be exported, or opened, as in some containers.
  std::atomic<bool> refuses_exports = false;
  std::atomic<bool> refuses_opens = false;
  std::atomic<bool> refuses_pinning = false;
  std::atomic<bool> refuses_peers = false;
  /// So many devices in a row have NVLink among them; between others is PCIe.
  std::atomic<int> linked_by = 1;
  /// So many more copies are carried out; the streams whose turn it is then wait for more.
  std::atomic<std::int64_t> copies_left = std::numeric_limits<std::int64_t>::max();
  /// Carried out so far.
  std::atomic<std::int64_t> copies = 0;
  /// Of copies in a stream; 0: as fast as it goes.
  std::atomic<std::uint64_t> bytes_per_second = 0;
  /// Calls so far that may wait for a whole device.
  std::atomic<int> waiting_calls = 0;
  /// Launched so far.
  std::atomic<int> kernels = 0;
  std::atomic<int> programs = 0;   ///< of these, those that wait themselves
  std::atomic<int> exchanges = 0;  ///< and those that exchange packets
  /// Thread blocks of programs that a device carries out at the same time, of all processes.
  static constexpr int most_resident = 16;
  /// Host functions that have returned.
  std::atomic<int> host_calls = 0;

 private:
  friend class EmulatedRuntime;

  struct Export {
    std::weak_ptr<Storage> storage;
    int exporter;
  };

  /// Null when the device has not as much left.
  std::shared_ptr<Storage> take(Allocation kind, int device, std::size_t size);
  void give_back(const Storage& storage);
  std::shared_ptr<Storage> borrow(void* pinned, std::size_t size);

  std::mutex mutex_;
  std::vector<std::size_t> left_;
  std::vector<std::atomic<int>> resident_;  // blocks, of each device
  std::uint64_t last_number_ = 0;
  int processes_ = 0;
  std::map<std::uint64_t, Export> exports_;
  std::map<std::uint64_t, std::shared_ptr<Storage>> by_descriptor_;
  std::map<std::uint64_t, std::shared_ptr<EventState>> events_;
  std::map<std::byte*, std::size_t> reserved_;  // addresses of device memory, of all processes
};

}  // namespace rondo::test
