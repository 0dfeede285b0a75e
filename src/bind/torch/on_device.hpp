#pragma once

// Collectives of tensors on a device, in the order of its streams. No word of CUDA: PyTorch's
// guards know the streams of the device, whichever it is, and rondo what they are.

#include <deque>
#include <memory>
#include <mutex>
#include <optional>

#include "bind/torch/reduction.hpp"
#include "bind/torch/work.hpp"
#include "bind/torch/world.hpp"

namespace rondo_torch {

/// What a stream had come to when this was made: the current one of a tensor's device, which may be
/// the host.
class StreamPoint {
 public:
  explicit StreamPoint(const at::Tensor& tensor);
  /// Blocks until the stream is there.
  void wait() const;

 private:
  std::shared_ptr<const c10::Event> event_;  // none on the host
};

/// Throws for tensors that are neither on the host nor on a device whose streams rondo knows.
/// `call` is for the text.
void require_known_device(c10::Device device, const std::string& call);

/// A group's calls on its device. They return when the work is given to a stream: asynchronous ones
/// to one of the group's own, so that what is computed meanwhile goes on beside them, others to the
/// current one. Any thread.
class OnDevice {
 public:
  /// All ranks of `world` come for their first one. Throws c10::DistBackendError.
  OnDevice(rondo_comm* world, const Member& member, c10::Device device,
           std::chrono::milliseconds timeout);

  c10::Device device() const { return device_; }
  c10::Stream current_stream() const { return guards_.getStream(device_); }

  /// Gives `body` to the stream, and completes `work`: its future at once, for those who wait in a
  /// stream, and itself when the ranks have exchanged what they had to.
  void carry_out(const c10::intrusive_ptr<RondoWork>& work, bool is_async,
                 std::chrono::milliseconds timeout, const Body& body);

  /// Tells works whose calls have ended, well or not.
  void look();
  /// Whether all calls have ended, for which it waits for `patience` at most.
  bool wait_until_idle(std::chrono::milliseconds patience);
  void abort(const std::string& reason) { rondo_comm_abort(comm_.get(), reason.c_str()); }
  /// Blocks until the streams are through with all that was given to them before.
  void synchronize(c10::Stream current) const;

 private:
  struct FreeWork {
    void operator()(rondo_work* work) const { rondo_work_free(work); }
  };
  using Started = std::unique_ptr<rondo_work, FreeWork>;
  // Whoever dropped the work learns of a failure in the next call.
  struct Pending {
    c10::weak_intrusive_ptr<RondoWork> work;
    std::deque<Started> calls;
  };

  bool is_over(Pending& pending, std::chrono::milliseconds patience);  // with the lock
  bool drain(std::chrono::milliseconds patience);                      // the same

  const Member& member_;
  const c10::Device device_;
  const c10::impl::VirtualGuardImpl guards_;
  std::mutex mutex_;
  Comm comm_;
  std::chrono::milliseconds shown_deadline_{0};
  c10::Stream own_stream_;
  std::deque<Pending> pending_;  // before comm_ ends
};

}  // namespace rondo_torch
