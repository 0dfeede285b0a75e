#pragma once

#include <cstdint>
#include <optional>

#include "rondo/error.hpp"

namespace rondo {

/// Hands the buffers of an operation over when its turn has come, and takes them back: for
/// somebody else, such as a device, who has them before and after. Where the operation has no
/// chunks, each buffer is one. The engine's thread calls it.
class Handover {
 public:
  virtual ~Handover() = default;
  /// How many chunks of the input are there by now. Errors: what keeps them from ever being.
  virtual Result<std::uint32_t> given() = 0;
  /// So many chunks of the result are final, and may be taken away; never all of them.
  virtual void take(std::uint32_t chunks) noexcept = 0;
  /// The operation has ended, in whatever way, or never began.
  virtual void take_back(const std::optional<Error>& error) noexcept = 0;
};

}  // namespace rondo
