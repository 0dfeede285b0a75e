#pragma once

// The buffers of a call in the order of a stream: the stream writes `given` for each chunk that it
// has brought, and waits for `taken` before each one that it takes away.

#include <algorithm>
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
  /// The values of both words: those after `before`, of each chunk one.
  struct Turns {
    std::uint32_t before = 0;
    std::uint32_t in = 1;
    std::uint32_t out = 1;
    /// After them, for the next call.
    std::uint32_t end() const { return before + std::max(in, out); }
  };

  StreamHandover(DeviceRuntime& runtime, DeviceStream stream, std::uint32_t* given,
                 std::uint32_t* taken, Turns turns)
      : runtime_(runtime), stream_(stream), given_(given), taken_(taken), turns_(turns) {}

  Result<std::uint32_t> given() override;
  void take(std::uint32_t chunks) noexcept override;
  void take_back() noexcept override;

  /// For the chunk of a number, from 1 on.
  using Work = std::function<Result<>(std::uint32_t)>;
  /// Gives the call to the stream: after `last`, which is recorded anew when the stream is through;
  /// `before` is how it brings a chunk, `after` how it takes one away. Throws Error, of which the
  /// operation hears, too.
  void give(DeviceEvent last, const Work& before = {}, const Work& after = {});

 private:
  Result<> enqueue(const Work& before, const Work& after);
  /// The stream will never come to it.
  void fail(const Error& error);

  DeviceRuntime& runtime_;
  const DeviceStream stream_;
  std::uint32_t* const given_;
  std::uint32_t* const taken_;
  const Turns turns_;
  unsigned looks_ = 0;
  std::mutex mutex_;
  std::optional<Error> failure_;
};

/// Throws Error{unsupported} where what is called on the stream becomes part of a graph.
void refuse_capture(DeviceRuntime& runtime, DeviceStream stream, Collective collective);

}  // namespace rondo
