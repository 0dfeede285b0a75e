#include "bind/torch/on_device.hpp"

#include <numeric>

#include "rondo/cuda.h"

namespace rondo_torch {

namespace {

// Tells the communicator from others among all ranks.
constexpr std::uint64_t context_of_devices = 0x646576696365u;

Comm among_all(rondo_comm* world, const Member& member) {
  std::vector<std::int32_t> everybody(static_cast<std::size_t>(member.size));
  std::iota(everybody.begin(), everybody.end(), 0);
  rondo_comm* made = nullptr;
  require(rondo_comm_subgroup(world, everybody.data(), member.size, context_of_devices, &made),
          nullptr, member);
  return Comm(made);
}

}  // namespace

StreamPoint::StreamPoint(const at::Tensor& tensor) {
  const c10::Device device = tensor.device();
  if (device.is_cpu()) return;
  const auto event = std::make_shared<c10::Event>(device.type());
  event->record(c10::impl::VirtualGuardImpl(device.type()).getStream(device));
  event_ = event;
}

void StreamPoint::wait() const {
  if (event_) event_->synchronize();
}

void require_known_device(c10::Device device, const std::string& call) {
  TORCH_CHECK(device.is_cpu() || device.is_cuda(), call, ": a tensor on ", device,
              "; rondo takes tensors on the CPU and on CUDA devices");
  TORCH_CHECK(device.is_cpu() || c10::impl::hasDeviceGuardImpl(device.type()), call,
              ": a tensor on ", device, "; this PyTorch was built without CUDA");
}

OnDevice::OnDevice(rondo_comm* world, const Member& member, c10::Device device,
                   std::chrono::milliseconds timeout)
    : member_(member),
      device_(device),
      guards_(device.type()),
      comm_(among_all(world, member)),
      own_stream_(guards_.getStreamFromGlobalPool(device)) {
  set_deadline(comm_.get(), timeout, shown_deadline_);
  std::int32_t are_connected = 0;  // where they are not, it goes by way of the host's memory
  require(rondo_connect_devices(comm_.get(), device.index(), &are_connected), comm_.get(), member_);
}

void OnDevice::carry_out(const c10::intrusive_ptr<RondoWork>& work, bool is_async,
                         std::chrono::milliseconds timeout, const Body& body) {
  const c10::Stream current = current_stream();
  const c10::Stream stream = is_async ? own_stream_ : current;
  if (is_async) {
    c10::Event event(device_.type());
    event.record(current);
    event.block(stream);
  }
  const c10::StreamGuard guard(stream);
  work->give_to_stream([&] {
    const std::lock_guard lock(mutex_);
    drain(std::chrono::milliseconds(0));
    set_deadline(comm_.get(), timeout, shown_deadline_);
    Pending& pending = pending_.emplace_back(Pending{c10::weak_intrusive_ptr<RondoWork>(work), {}});
    body([&](const rondo_call& call) {
      rondo_work* started = nullptr;
      require(rondo_start_on_stream(comm_.get(), &call,
                                    static_cast<CUstream_st*>(native_handle_of(stream)), &started),
              comm_.get(), member_);
      pending.calls.emplace_back(started);
    });
    // Whoever frees a tensor meanwhile gives its memory to nobody before the stream is through.
    for (const at::Tensor& tensor : work->tensors()) {
      guards_.recordDataPtrOnStream(tensor.storage().data_ptr(), stream);
    }
  });
}

bool OnDevice::is_over(Pending& pending, std::chrono::milliseconds patience) {
  while (!pending.calls.empty()) {
    std::int32_t done = 0;
    const rondo_status status =
        rondo_work_wait_for(pending.calls.front().get(), patience.count(), &done);
    if (done == 0) return false;
    const auto work = pending.work.lock();
    try {
      require(status, comm_.get(), member_);
    } catch (...) {
      if (work) work->finish_on_stream(std::current_exception());
    }
    pending.calls.pop_front();
  }
  if (const auto work = pending.work.lock()) work->finish_on_stream(nullptr);
  return true;
}

bool OnDevice::drain(std::chrono::milliseconds patience) {
  const auto end = std::chrono::steady_clock::now() + patience;
  while (!pending_.empty()) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        end - std::chrono::steady_clock::now());
    if (!is_over(pending_.front(), std::max(left, std::chrono::milliseconds(0)))) return false;
    pending_.pop_front();
  }
  return true;
}

void OnDevice::look() {
  const std::lock_guard lock(mutex_);
  drain(std::chrono::milliseconds(0));
}

bool OnDevice::wait_until_idle(std::chrono::milliseconds patience) {
  const std::lock_guard lock(mutex_);
  return drain(patience);
}

void OnDevice::synchronize(c10::Stream current) const {
  current.synchronize();
  own_stream_.synchronize();
}

}  // namespace rondo_torch
