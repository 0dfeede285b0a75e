#pragma once

// The buffers of a call in the order of a stream: the stream writes `given` when it has come to the
// call, and waits for `taken`.

#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>

#include "device/runtime.hpp"
#include "execute/operation.hpp"
#include "rondo/types.hpp"

namespace rondo {

class StreamHandover final : public Handover {
 public:
  StreamHandover(DeviceRuntime& runtime, DeviceStream stream, std::uint32_t* given,
                 std::uint32_t* taken, std::uint32_t turn)
      : runtime_(runtime), stream_(stream), given_(given), taken_(taken), turn_(turn) {}

  Result<bool> is_given() override;
  void take_back() noexcept override;

  using Work = std::function<Result<>()>;
  /// Gives the call to the stream: after `last`, which is recorded anew when the stream is through;
  /// `before` is what it does until it has come to the call, `after` what follows. Throws Error, of
  /// which the operation hears, too.
  void give(DeviceEvent last, const Work& before = {}, const Work& after = {});

 private:
  /// The stream will never come to it.
  void fail(const Error& error);

  DeviceRuntime& runtime_;
  const DeviceStream stream_;
  std::uint32_t* const given_;
  std::uint32_t* const taken_;
  const std::uint32_t turn_;
  unsigned looks_ = 0;
  std::mutex mutex_;
  std::optional<Error> failure_;
};

/// Throws Error{unsupported} where what is called on the stream becomes part of a graph.
void refuse_capture(DeviceRuntime& runtime, DeviceStream stream, Collective collective);

}  // namespace rondo
