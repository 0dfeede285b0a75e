#pragma once

// Collectives of device memory by way of pinned host memory: the stream copies there, tells the
// engine, waits for it, and copies back. It works with all transports, and where only some ranks
// have device memory.

#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

#include "api/arguments.hpp"
#include "api/captured_calls.hpp"
#include "device/runtime.hpp"
#include "execute/engine.hpp"
#include "rondo/erased_call.hpp"

namespace rondo {

class DeviceStaging {
 public:
  /// For buffers of one device.
  DeviceStaging(DeviceRuntime& runtime, int device) : runtime_(runtime), device_(device) {}
  DeviceStaging(const DeviceStaging&) = delete;
  DeviceStaging& operator=(const DeviceStaging&) = delete;
  /// Waits for the streams. The engine must have finished.
  ~DeviceStaging();

  /// `call` is valid, and `used` what it uses. `prepare` makes an operation of the same call with
  /// buffers in host memory. Throws Error.
  std::shared_ptr<PendingOperation> start(
      Engine& engine, const ErasedCall& call, const BuffersInUse& used, void* stream,
      const std::function<Operation(const ErasedCall&)>& prepare);
  /// The same where the stream's work goes into a graph.
  std::shared_ptr<PendingOperation> capture(
      CapturedCalls& calls, const ErasedCall& call, const BuffersInUse& used, void* stream,
      const std::function<Operation(const ErasedCall&)>& prepare);

 private:
  struct Turn;

  void reserve(std::size_t bytes);
  Turn turn_in(std::byte* memory, const ErasedCall& call, const BuffersInUse& used,
               void* stream) const;
  Result<> copy(DeviceStream stream, void* to, const void* from, std::size_t bytes);
  Result<> copy_in(const Turn& turn);
  Result<> copy_out(const Turn& turn);

  DeviceRuntime& runtime_;
  const int device_;
  std::vector<void*> all_;  // pinned: two words, and what is sent and received; the last is in use
  std::size_t bytes_ = 0;   // of the last one, behind the words
  DeviceEvent last_ = {};   // when the stream of the last call is through
  std::uint32_t turns_ = 0;
};

/// The device of the call's buffers. Throws Error: invalid_argument for memory that no stream can
/// use.
int device_of(DeviceRuntime& runtime, const ErasedCall& call, const BuffersInUse& used);

}  // namespace rondo
