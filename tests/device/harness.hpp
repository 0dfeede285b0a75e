#pragma once

// Tests of device work run on the emulated devices, or, named "cuda", on real ones. Those on real
// ones are skipped where there are none.

#include <sys/types.h>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/descriptor.hpp"
#include "device/runtime.hpp"

namespace rondo::test {

/// Chooses the devices: "emulated" or "cuda". Nothing, or what is in the way. Once in a process.
std::string choose_devices(std::string_view kind);
/// Ends those that are emulated.
void leave_devices();
/// Of this process, in which nothing may go wrong for good: that is for peers.
DeviceRuntime& runtime();

/// To another process: plain values and file descriptors, in order.
class Channel {
 public:
  explicit Channel(int socket) : socket_(socket) {}
  template <class T>
  void send(const T& value) {
    send_bytes(&value, sizeof(value));
  }
  /// Zeros when the other process has ended.
  template <class T>
  T receive() {
    T value = {};
    receive_bytes(&value, sizeof(value));
    return value;
  }
  void send_descriptor(int descriptor);
  Descriptor receive_descriptor();

 private:
  void send_bytes(const void* bytes, std::size_t count);
  void receive_bytes(void* bytes, std::size_t count);

  Descriptor socket_;
};

/// What another process does.
using Role = void(DeviceRuntime& runtime, Channel& channel);

/// A process beside this one: one on the same emulated machine, or a real one.
class Peer {
 public:
  explicit Peer(Role* role);
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;
  ~Peer();
  Channel& channel() { return *channel_; }

 private:
  std::unique_ptr<Channel> channel_;
  std::thread thread_;
  pid_t process_ = -1;
};

/// All roles of a program, by which a real process is told its own.
std::vector<Role*> roles();
/// Whether this process is a peer by its arguments, and has been one.
bool was_peer(int argc, char** argv);

/// What went wrong: 0 for nothing, else 1 and the code.
template <class T>
int outcome(const Result<T>& result) {
  return result ? 0 : 1 + static_cast<int>(result.error().code());
}
inline int failed_with(ErrorCode code) {
  return 1 + static_cast<int>(code);
}

/// The value of a result that must be there.
template <class T>
T must(Result<T> result) {
  if (!result) throw result.error();
  return std::move(result).value();
}
inline void must(Result<> result) {
  if (!result) throw result.error();
}

/// Memory of the main process.
class Memory {
 public:
  Memory(DeviceRuntime& runtime, Allocation kind, std::size_t bytes)
      : runtime_(runtime), kind_(kind), place_(must(runtime.allocate(kind, 0, bytes))) {}
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  ~Memory() { static_cast<void>(runtime_.deallocate(kind_, place_).ok()); }

  std::byte* bytes() const { return static_cast<std::byte*>(place_); }
  template <class T>
  T* as() const {
    return static_cast<T*>(place_);
  }

 private:
  DeviceRuntime& runtime_;
  Allocation kind_;
  void* place_;
};

class Stream {
 public:
  explicit Stream(DeviceRuntime& runtime)
      : runtime_(runtime), stream_(must(runtime.create_stream(0))) {}
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  ~Stream() { static_cast<void>(runtime_.destroy_stream(stream_).ok()); }
  operator DeviceStream() const { return stream_; }

 private:
  DeviceRuntime& runtime_;
  DeviceStream stream_;
};

/// Holds streams until it is told to let them go.
class Gate {
 public:
  explicit Gate(DeviceRuntime& runtime) : runtime_(runtime), word_(runtime, Allocation::pinned, 4) {
    *word_.as<volatile std::uint32_t>() = 0;
  }
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;
  ~Gate() { open(); }
  void hold(DeviceStream stream) {
    must(runtime_.wait_value(stream, word_.as<std::uint32_t>(), 1));
  }
  void open();

 private:
  DeviceRuntime& runtime_;
  Memory word_;
};

}  // namespace rondo::test
