#pragma once

// Collectives that become part of a graph, which may be carried out at any time, and any number of
// times. A graph that comes to one
//
//   1. does what is to be done before, such as a copy to pinned memory;
//   2. calls a host function, which queues the operation, as it was prepared, at the engine;
//   3. waits for the word that the engine's thread writes when the operation has ended;
//   4. does what is to be done after it.
//
// The function sets the word back, so that each time the same value is waited for. Each call has a
// word and memory of its own, which are the graph's: it gives them back when it is gone, and they
// serve the next call that is captured. What lives longer than the communicator finds no engine any
// more: the function leaves the operation out then, and says so.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "device/runtime.hpp"
#include "execute/engine.hpp"
#include "rondo/types.hpp"

namespace rondo {

class CapturedCall;

/// Pinned memory that graphs use. To free it may be to wait for streams, which those who give it
/// back must not: it is freed at the end of the communicator. What comes back later stays.
class PinnedPool {
 public:
  /// Goes back to the pool with its end.
  class Area {
   public:
    Area(std::shared_ptr<PinnedPool> pool, std::byte* begin, std::size_t bytes)
        : pool_(std::move(pool)), begin_(begin), bytes_(bytes) {}
    Area(Area&& other) noexcept = default;
    Area& operator=(Area&&) = delete;
    ~Area() {
      if (pool_) pool_->give_back({begin_, bytes_});
    }
    /// A page for words comes before the data.
    std::uint32_t* word() const { return reinterpret_cast<std::uint32_t*>(begin_); }
    std::byte* data() const { return begin_ + page; }

   private:
    std::shared_ptr<PinnedPool> pool_;
    std::byte* begin_;
    std::size_t bytes_;
  };

  explicit PinnedPool(DeviceRuntime& runtime) : runtime_(runtime) {}
  /// With so many bytes of data. Throws Error.
  static Area take(const std::shared_ptr<PinnedPool>& pool, int device, std::size_t bytes);
  /// Frees what nobody has.
  void free();

 private:
  static constexpr std::size_t page = 4096;
  struct Piece {
    std::byte* begin;
    std::size_t bytes;
  };

  void give_back(Piece piece) noexcept;

  DeviceRuntime& runtime_;
  std::mutex mutex_;
  std::vector<Piece> unused_;  // with room for all that there are
  std::size_t made_ = 0;
};

/// Those of a communicator.
class CapturedCalls {
 public:
  CapturedCalls(Engine& engine, DeviceRuntime& runtime);
  CapturedCalls(const CapturedCalls&) = delete;
  CapturedCalls& operator=(const CapturedCalls&) = delete;
  /// The engine must have finished.
  ~CapturedCalls();

  /// Whether a call on the stream becomes part of a graph. Throws Error{invalid_argument} where it
  /// can neither be carried out nor captured.
  static bool is_captured(DeviceRuntime& runtime, DeviceStream stream, Collective collective);

  /// For the next call. Throws Error.
  PinnedPool::Area reserve(int device, std::size_t bytes);
  using Work = std::function<Result<>()>;
  /// What comes back is done, but while the graph is at the call; it has the first error of all
  /// times. Throws Error.
  std::shared_ptr<PendingOperation> capture(DeviceStream stream, Operation operation,
                                            PinnedPool::Area area, const Work& before = {},
                                            const Work& after = {});
  /// From now on nothing is queued any more.
  void detach();

 private:
  Engine& engine_;
  DeviceRuntime& runtime_;
  const std::shared_ptr<PinnedPool> pool_;
  std::vector<std::weak_ptr<CapturedCall>> calls_;
};

}  // namespace rondo
