#pragma once

// A network that somebody else drives, such as an MPI library: what rondo needs of it to carry the
// bytes of a world over it.

#include <cstddef>
#include <string_view>

#include "rondo/error.hpp"

namespace rondo {

/// Packets between the ranks of one world, in streams. A stream has one receiver, who numbers it,
/// and one sender; its packets arrive in the order in which they were sent, each once.
///
/// Nothing blocks. The network may touch the memory of a packet that is under way at any time, also
/// after everybody has lost interest in it: therefore it belongs to the fabric, and no memory of
/// the user ever does.
///
/// Threads: those that it permits, also several at once. It outlives the transports that use it.
class Fabric {
 public:
  struct Packet {
    std::byte* data = nullptr;  ///< room for packet_bytes, at a multiple of 64
    std::size_t size = 0;       ///< bytes that are sent; of one that came, that were
  };
  static constexpr std::size_t packet_bytes = (64 << 10) + 64;

  Fabric() = default;
  Fabric(const Fabric&) = delete;
  Fabric& operator=(const Fabric&) = delete;
  /// Waits a moment for packets on their way out.
  virtual ~Fabric() = default;

  /// What carries the data: "mpi".
  virtual std::string_view name() const = 0;
  /// Whether the calling thread may use it now; and whether any thread may at any time, so that
  /// rondo's own may, too. Error{unsupported}: why not, and what to do.
  virtual Result<> permits_caller() const = 0;
  virtual Result<> permits_every_thread() const = 0;

  /// The number of a new stream to this rank; none that is in use has it.
  virtual int open_stream() = 0;

  /// An idle packet. It goes back with give_back(), also while it is under way: then the fabric
  /// keeps its memory for as long as the network may touch it. Throws std::bad_alloc.
  virtual Packet* take() = 0;
  virtual void give_back(Packet* packet) = 0;

  /// Start the way of a packet. Ranks are those of the world.
  virtual Result<> send(Packet& packet, int to, int stream) = 0;
  virtual Result<> receive(Packet& packet, int from, int stream) = 0;
  /// Whether it is at its end: sent, and its memory free again; or come. Moves packets.
  virtual Result<bool> is_done(Packet& packet) = 0;
};

}  // namespace rondo
