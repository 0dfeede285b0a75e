#pragma once

// What rondo asks of devices, with no word of how it is done. librondo-cuda does it with CUDA; the
// tests have another one that keeps the same rules on threads.
//
// Rules, which are those of CUDA:
//   * Work given to a stream is carried out in the order in which it was given, while the caller
//     goes on. Streams of different numbers know nothing of each other but through events and
//     values.
//   * What a stream uses must stay until the stream is through with it.
//   * An error in work that was given to a stream shows later, in any call, and for good: every
//     following call of this process on that device fails with the same cause. An error of a call
//     itself (a wrong argument, no memory left) leaves nothing behind.
//   * allocate(), deallocate(), open_memory(), close_memory() and their like may wait for all that
//     is under way on the device: none of them in the middle of a collective.
//   * A stream that is captured carries nothing out: what it is given goes into a graph. To ask how
//     far it is, or to wait for it, breaks the capture. All other calls, also those that may wait
//     for a device, leave it alone, in whichever thread they are made.
//   * Any thread may call anything. Which device a thread has chosen for itself stays as it is.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/descriptor.hpp"
#include "rondo/error.hpp"
#include "rondo/types.hpp"

namespace rondo {

struct DeviceInfo {
  std::string name;  ///< "NVIDIA H200"
  /// Tells it from all other devices, also to processes that number them otherwise.
  std::array<std::uint8_t, 16> uuid = {};
  std::string pci;  ///< "0000:19:00.0"
  std::size_t memory_bytes = 0;
  int multiprocessors = 0;
};

/// What lies between two devices, as far as the driver says.
enum class DeviceLink : std::uint8_t {
  not_known,  ///< one of them is hidden from this process, or they do not reach each other
  pcie,       ///< or whatever else is not NVLink
  nvlink,
};

/// What a pointer is. The runtime knows nothing of memory that it did not allocate or register:
/// that is `host`.
enum class MemoryKind : std::uint8_t { host, pinned, managed, device };

struct MemoryInfo {
  MemoryKind kind = MemoryKind::host;
  int device = -1;            ///< where it lives; of pinned memory, whose it was when made
  std::byte* base = nullptr;  ///< of the whole allocation; null for `host`
  std::size_t size = 0;
  std::uint64_t id = 0;         ///< no other allocation of this process ever has it
  bool has_handle = false;      ///< export_memory() works
  bool has_descriptor = false;  ///< export_parts() works
};

/// Ways to get memory, which differ in how other processes can get at it.
enum class Allocation : std::uint8_t {
  device,       ///< by handle
  descriptor,   ///< by file descriptor
  pool,         ///< not at all
  pinned,       ///< host memory that devices read and write; not at all
  managed,      ///< moves between host and device; not at all
  parts,        ///< by several descriptors: allocations side by side, each described for itself
  shared_pool,  ///< by the descriptor of its pool
  unshared,     ///< as `descriptor`, but not at all
};

/// Stands for a whole allocation, wherever in it the pointer was. Plain bytes, to be sent.
struct MemoryHandle {
  std::array<std::byte, 64> bytes = {};
  bool operator==(const MemoryHandle&) const = default;
};
struct EventHandle {
  std::array<std::byte, 64> bytes = {};
};

/// Memory that other processes get at by file descriptors: of each of the allocations that lie side
/// by side there, or of the pool that it is from.
struct MemoryParts {
  struct Part {
    Descriptor descriptor;
    std::size_t bytes = 0;
  };
  static constexpr std::size_t most_parts = 128;

  std::byte* base = nullptr;
  std::size_t size = 0;
  std::uint64_t id = 0;  ///< no other such memory of this process ever has it
  std::vector<Part> parts = {};
  bool is_in_pool = false;    ///< then there is one part, of which the size is that of the memory
  MemoryHandle pointer = {};  ///< where in the pool
};

/// A null `native` is the device's default stream.
struct DeviceStream {
  void* native = nullptr;
  int device = 0;
};
struct DeviceEvent {
  void* native = nullptr;
  int device = 0;
};

/// What becomes of the work that a stream is given.
enum class Capture : std::uint8_t {
  none,    ///< it is carried out
  active,  ///< it goes into a graph
  broken,  ///< nothing: the graph is lost, or others are made that it must not come between
};

/// Work that was captured, and what carries it out, any number of times.
struct DeviceGraph {
  void* native = nullptr;
  int device = 0;
};
struct GraphInstance {
  void* native = nullptr;
  int device = 0;
};

/// destinations[d][i] = sources[0][i] ⊕ sources[1][i] ⊕ …, as reduce() of execute/reduction.hpp,
/// bit for bit but for which NaN a NaN is. Sources and destinations are memory that the device
/// reaches. A destination is a source, or overlaps nothing else.
struct DeviceReduction {
  DType dtype = DType::f32;
  Op op = Op::sum;
  std::span<const void* const> sources = {};  ///< 1 to most_sources
  std::span<void* const> destinations = {};   ///< 1 to most_destinations
  std::size_t count = 0;                      ///< elements
  int divisor = 1;                            ///< of avg
  int most_blocks = 0;                        ///< thread blocks; 0: as many as go faster for it
  /// Of pinned memory: where it is not 0 when the kernel begins, nothing is read or written. Null:
  /// it is carried out in any case.
  const std::uint32_t* stop = nullptr;

  static constexpr std::size_t most_sources = 128;
  static constexpr std::size_t most_destinations = 128;
};

struct BlockCounts;

/// All steps of a rank's program in one kernel, which waits for those of peers itself: see
/// device/kernels/block_program.hpp.
struct DeviceProgram {
  DType dtype = DType::f32;  ///< of all moves
  Op op = Op::sum;
  const std::byte* memory = nullptr;  ///< device memory that has BlockProgram::bytes()
  const BlockCounts* counts = nullptr;
  std::span<std::uint64_t* const> words = {};  ///< of each rank, slices x ranks
  int rank = 0;
  int slices = 1;  ///< thread blocks
  /// Of what moves touch, dealt out to the slices in turns; whole vectors of 16 bytes.
  std::uint32_t piece_bytes = 16 << 10;
  /// What the words of this rank have come to, before which nothing of this program is told.
  std::uint64_t before = 0;
  const std::uint32_t* stop = nullptr;  ///< ends it, also while it waits

  static constexpr std::size_t most_ranks = 64;
};

/// A small collective in one kernel, of which each packet says itself that it has come: see
/// device/kernels/packets.hpp. What is listed by rank is null where nothing is sent, or gotten.
struct DevicePackets {
  DType dtype = DType::u8;
  Op op = Op::sum;
  bool folds = false;  ///< what all ranks send, in their order; else each one's is stored
  std::span<const void* const> sends = {};             ///< to each peer
  std::span<std::uint64_t* const> outboxes = {};       ///< where it goes, in the peer's memory
  std::span<const std::uint64_t* const> inboxes = {};  ///< where that of each peer comes
  const void* own = nullptr;                           ///< what this rank would send itself
  std::span<void* const> receives = {};  ///< what comes from each rank; of a fold, one
  std::size_t bytes = 0;                 ///< of each of these; boxes have twice as many
  int divisor = 1;
  int rank = 0;
  std::uint32_t flag = 0;  ///< nothing in the inboxes has it yet
  int most_blocks = 1;
  const std::uint32_t* stop = nullptr;  ///< ends it, also while it waits

  static constexpr std::size_t most_ranks = 64;
};

struct DeviceCopy {
  void* to = nullptr;
  const void* from = nullptr;
  std::size_t bytes = 0;
};

class DeviceRuntime {
 public:
  virtual ~DeviceRuntime() = default;

  /// Those that this process may use; none is no error. Errors: unsupported where there is no
  /// driver, or one that is too old.
  virtual Result<std::vector<DeviceInfo>> devices() = 0;

  /// From now on work on `device` may touch all memory that this process has on `other`. Errors:
  /// unsupported.
  virtual Result<> reach_device(int device, int other) = 0;
  /// Of two devices that are not the same.
  virtual Result<DeviceLink> link(int device, int other) = 0;

  // Memory.

  virtual Result<MemoryInfo> describe(const void* pointer) = 0;
  /// Errors: resource. 0 bytes are an invalid_argument.
  virtual Result<void*> allocate(Allocation kind, int device, std::size_t bytes) = 0;
  /// Peers that still have it open must have closed it: what they do with it is undefined else.
  virtual Result<> deallocate(Allocation kind, void* memory) = 0;
  /// Makes memory of the host's pinned memory, until unpin(); whole pages.
  virtual Result<> pin(void* memory, std::size_t bytes) = 0;
  virtual Result<> unpin(void* memory) = 0;

  /// The handle of the allocation that `pointer` is in. Errors: unsupported for memory that has
  /// none.
  virtual Result<MemoryHandle> export_memory(const void* pointer) = 0;
  /// Where that allocation begins in this process. Opened once more it is the same place, to be
  /// closed as often. Not for what this process has exported itself: invalid_argument.
  virtual Result<void*> open_memory(int device, const MemoryHandle& handle) = 0;
  virtual Result<> close_memory(void* base) = 0;

  /// The same by descriptors, for memory that has no handle: of the allocation that `pointer` is in
  /// and all that lie beside it without a gap. It lives until all who have it mapped or hold a
  /// descriptor are through with it, unless it is a pool's. Errors: unsupported for memory that was
  /// not made for it, or is in more parts than MemoryParts::most_parts.
  virtual Result<MemoryParts> export_parts(const void* pointer) = 0;
  /// Where it begins in this process. The descriptors are of no more use for it afterwards.
  virtual Result<void*> map_parts(int device, const MemoryParts& memory) = 0;
  virtual Result<> unmap_parts(void* base) = 0;

  // Streams and events.

  virtual Result<DeviceStream> create_stream(int device) = 0;
  virtual Result<> destroy_stream(DeviceStream stream) = 0;
  /// Whether all that was given to it is done.
  virtual Result<bool> is_done(DeviceStream stream) = 0;
  virtual Result<> synchronize(DeviceStream stream) = 0;

  /// `shared` events can be exported. An event that was never recorded counts as done.
  virtual Result<DeviceEvent> create_event(int device, bool shared) = 0;
  /// Those who opened it must be through with it.
  virtual Result<> destroy_event(DeviceEvent event) = 0;
  virtual Result<> record(DeviceStream stream, DeviceEvent event) = 0;
  /// The stream goes on when what was recorded last before this call is done.
  virtual Result<> wait(DeviceStream stream, DeviceEvent event) = 0;
  virtual Result<bool> is_done(DeviceEvent event) = 0;
  virtual Result<EventHandle> export_event(DeviceEvent event) = 0;
  /// Not in the process that exported it. Ends with destroy_event().
  virtual Result<DeviceEvent> open_event(int device, const EventHandle& handle) = 0;

  // Work for streams. All pointers are memory that the stream's device reaches.

  /// Of any kinds of memory. Pageable host memory may be read before it returns, or written.
  virtual Result<> copy(DeviceStream stream, void* to, const void* from, std::size_t bytes) = 0;
  virtual Result<> reduce(DeviceStream stream, const DeviceReduction& reduction) = 0;
  /// In one kernel; of memory that the device reaches. They must not overlap. `stop` as above.
  virtual Result<> copy_all(DeviceStream stream, std::span<const DeviceCopy> copies,
                            const std::uint32_t* stop) = 0;
  /// How many blocks of such kernels a device carries out at the same time, where it has nothing
  /// else to do. Whatever a first launch would wait for is done afterwards.
  virtual Result<int> resident_blocks(int device) = 0;
  /// More blocks than resident_blocks(), of all kernels on the device that wait for each other,
  /// may wait for ever.
  virtual Result<> run(DeviceStream stream, const DeviceProgram& program) = 0;
  /// The same of these.
  virtual Result<> exchange(DeviceStream stream, const DevicePackets& packets) = 0;
  /// A 32-bit word of device or pinned memory, after all before it is done.
  virtual Result<> write_value(DeviceStream stream, std::uint32_t* word, std::uint32_t value) = 0;
  /// The stream goes on when int32(*word - value) >= 0. It holds no multiprocessor meanwhile.
  virtual Result<> wait_value(DeviceStream stream, std::uint32_t* word, std::uint32_t value) = 0;
  /// `function` runs in a thread of the runtime's, makes no call here, and lets nobody wait: others
  /// take their turn after it. It is never called where something before it failed.
  virtual Result<> call_host(DeviceStream stream, void (*function)(void*), void* argument) = 0;

  // Graphs.

  /// From now on what is given to the stream goes into a graph. Not for default streams.
  virtual Result<> begin_capture(DeviceStream stream) = 0;
  /// In the thread that began it. Errors: invalid_argument where the capture is broken.
  virtual Result<DeviceGraph> end_capture(DeviceStream stream) = 0;
  virtual Result<Capture> capture_of(DeviceStream stream) = 0;
  /// The graph that is being made of the stream's work keeps `object`. `release` is called with it
  /// when the graph is gone, and its instances, and none of them is carried out any more: in any
  /// thread, and as what call_host() calls. Where this fails, it is called at once.
  virtual Result<> keep_in_graph(DeviceStream stream, void (*release)(void*), void* object) = 0;
  virtual Result<> destroy_graph(DeviceGraph graph) = 0;
  virtual Result<GraphInstance> instantiate(DeviceGraph graph) = 0;
  /// One after the other, whatever streams they are in, where they are of one instance.
  virtual Result<> launch(DeviceStream stream, GraphInstance instance) = 0;
  /// May still be carried out.
  virtual Result<> destroy_instance(GraphInstance instance) = 0;
};

/// What librondo-cuda exports as device_runtime_entry: sets `opened` to the runtime of this
/// process, which lives until its end, or to what is in the way. A `version` other than its own is.
using OpenDeviceRuntime = void(std::uint32_t version, Result<DeviceRuntime*>* opened);
inline constexpr const char* device_runtime_entry = "rondo_open_device_runtime";
inline constexpr std::uint32_t device_runtime_version = 3;

}  // namespace rondo
