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

  /// It begins after `last`, which is recorded anew when the stream is through.
  StreamHandover(DeviceRuntime& runtime, DeviceStream stream, DeviceEvent last,
                 std::uint32_t* given, std::uint32_t* taken, Turns turns)
      : runtime_(runtime),
        stream_(stream),
        last_(last),
        given_(given),
        taken_(taken),
        turns_(turns) {}

  Result<std::uint32_t> given() override;
  void take(std::uint32_t chunks) noexcept override;
  void take_back(const std::optional<Error>& error) noexcept override;

  /// For the chunk of a number, from 1 on.
  using Work = std::function<Result<>(std::uint32_t)>;
  /// Gives the call to the stream: `before` is how it brings a chunk, `after` how it takes one
  /// away. Throws Error, of which the operation hears, too.
  void give(const Work& before = {}, const Work& after = {});

 private:
  Result<> enqueue(const Work& before, const Work& after);
  /// The stream will never come to it.
  void fail(const Error& error);

  DeviceRuntime& runtime_;
  const DeviceStream stream_;
  const DeviceEvent last_;
  std::uint32_t* const given_;
  std::uint32_t* const taken_;
  const Turns turns_;
  unsigned looks_ = 0;
  std::mutex mutex_;
  std::optional<Error> failure_;
};

}  // namespace rondo
