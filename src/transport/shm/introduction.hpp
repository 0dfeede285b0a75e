#pragma once

// How two ranks come to share memory: over a Unix socket on which both have said hello, each passes
// its segment and its bell, and maps the other's. It is the probe, too: what fails here tells that
// memory cannot be shared, and the link takes another medium.
//
//   dialler ── offer ──► other     the other side maps it, or answers with a refusal
//   dialler ◄── offer ── other
//   dialler ── agreed ─► other     from now on both use it

#include <memory>

#include "transport/route/carrier.hpp"
#include "transport/shm/shared_memory.hpp"
#include "transport/tcp/socket.hpp"

namespace rondo::process {

/// Boxes that come to nothing are there for the next introduction.
struct TakeBack {
  SharedMemory* memory = nullptr;
  void operator()(const OwnBoxes* boxes) const {
    memory->take_back(*boxes);
    delete boxes;
  }
};

class Introduction {
 public:
  enum class Side : std::uint8_t { dialler, other };

  Introduction(Socket socket, Side side, SharedMemory& memory)
      : socket_(std::move(socket)), side_(side), memory_(&memory) {}

  /// Goes on as far as possible without waiting; null until both sides agree. Errors: peer_lost,
  /// when the peer ended the conversation; else why memory cannot be shared, which the peer learns.
  Result<std::unique_ptr<Carrier>> advance();

 private:
  enum class Stage : std::uint8_t { begin, offered, agreed };

  Result<bool> step();
  Result<> say_offer();
  Result<> say(const Offer& offer, bool with_descriptors);
  Result<bool> hear();

  Socket socket_;
  Side side_;
  SharedMemory* memory_;
  Stage stage_ = Stage::begin;
  std::unique_ptr<OwnBoxes, TakeBack> own_;
  PeerBoxes peer_;
  Offer heard_;
  Descriptor segment_;
  Descriptor bell_;
};

}  // namespace rondo::process
