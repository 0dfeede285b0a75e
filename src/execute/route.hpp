#pragma once

// Another way for a collective than by messages alone: from device to device, where all ranks can.
// The engine's thread calls it, between polls of the transport.

#include <cstddef>
#include <span>
#include <vector>

#include "rondo/transport.hpp"

namespace rondo {

struct Operation;

class Route {
 public:
  enum class State {
    under_way,
    done,
    by_messages,  ///< not this way: the program is to be carried out on buffers()
  };
  struct Buffers {
    const std::byte* in = nullptr;
    std::byte* out = nullptr;
  };

  virtual ~Route() = default;

  /// All that it uses, and the program's.
  virtual std::span<const Link> links(std::span<const Link> of_program) = 0;
  /// The transport has begun the operation.
  virtual void start(const Operation& operation, Transport& transport) = 0;
  /// Goes as far as that takes no waiting. Throws Error.
  virtual State advance() = 0;
  /// Whether it is to be called again soon, though the transport has no news.
  virtual bool is_impatient() const = 0;
  virtual Buffers buffers() = 0;
  /// The program is complete. Throws Error.
  virtual void finish_messages() = 0;
  virtual void add_waiting_for(std::vector<int>& peers) const = 0;
  /// The operation has failed, and the transport has taken everything back. Afterwards nobody uses
  /// the buffers any more.
  virtual void abandon() noexcept = 0;
};

}  // namespace rondo
