#pragma once

// The buffers of a call in the order of a stream: the stream writes `given` when it has come to the
// call, and waits for `taken`.

#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>

#include "device/runtime.hpp"
#include "execute/operation.hpp"

namespace rondo {

class StreamHandover final : public Handover {
 public:
  /// It begins after `last`, which is recorded anew when the stream is through.
  StreamHandover(DeviceRuntime& runtime, DeviceStream stream, DeviceEvent last,
                 std::uint32_t* given, std::uint32_t* taken, std::uint32_t turn)
      : runtime_(runtime),
        stream_(stream),
        last_(last),
        given_(given),
        taken_(taken),
        turn_(turn) {}

  Result<bool> is_given() override;
  void take_back(const std::optional<Error>& error) noexcept override;

  using Work = std::function<Result<>()>;
  /// Gives the call to the stream: `before` is what it does until it has come to the call, `after`
  /// what follows. Throws Error, of which the operation hears, too.
  void give(const Work& before = {}, const Work& after = {});

 private:
  /// The stream will never come to it.
  void fail(const Error& error);

  DeviceRuntime& runtime_;
  const DeviceStream stream_;
  const DeviceEvent last_;
  std::uint32_t* const given_;
  std::uint32_t* const taken_;
  const std::uint32_t turn_;
  unsigned looks_ = 0;
  std::mutex mutex_;
  std::optional<Error> failure_;
};

}  // namespace rondo
