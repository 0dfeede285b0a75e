#include "bench/device.hpp"

#include <utility>

#include "api/value_or_throw.hpp"
#include "bench/measure.hpp"
#include "bootstrap/device_library.hpp"
#include "bootstrap/environment.hpp"
#include "rondo/topology.hpp"

namespace rondo::bench {

namespace {

// A stream of CUDA holds some thousand pieces of work; who gives it more waits inside the driver,
// which others may want to ask meanwhile.
constexpr std::size_t most_under_way = 64;

Error no_device(const std::string& reason) {
  return Error(ErrorCode::unsupported, concat("--device: there is no device: ", reason));
}

DeviceRuntime& open() {
  const Result<DeviceRuntime*> opened = open_device_runtime(process_environment);
  if (!opened) throw no_device(opened.error().text());
  return *opened.value();
}

int device_of_rank(const Communicator& communicator, const Devices& devices) {
  const std::vector<Rank>& ranks = communicator.topology().ranks;
  const auto own = static_cast<std::size_t>(communicator.rank());
  std::size_t before = 0;
  for (std::size_t rank = 0; rank < own; ++rank) before += ranks[rank].host == ranks[own].host;
  return static_cast<int>(before % devices.all.size());
}

}  // namespace

Devices::Devices() : runtime(open()) {
  Result<std::vector<DeviceInfo>> found = runtime.devices();
  if (!found) throw no_device(found.error().text());
  all = std::move(found).value();
  if (all.empty()) throw no_device("the driver says so");
}

std::byte* StreamMemory::allocate(std::size_t bytes) {
  auto* const memory = static_cast<std::byte*>(
      value_or_throw(runtime_.allocate(Allocation::device, stream_.device, bytes)));
  if (shared_by_ == nullptr || shared_by_->share_memory(memory)) return memory;
  deallocate(memory);
  throw Error(ErrorCode::unsupported, "--device -R 2: the memory cannot be used in place");
}

void StreamMemory::deallocate(std::byte* memory) noexcept {
  try {
    if (shared_by_ != nullptr) shared_by_->unshare_memory(memory);
  } catch (const Error&) {
    // The communicator has ended, and says why; nobody uses the memory any more.
  }
  static_cast<void>(runtime_.deallocate(Allocation::device, memory).ok());
}

void StreamMemory::copy(std::byte* to, const std::byte* from, std::size_t bytes) {
  value_or_throw(runtime_.copy(stream_, to, from, bytes));
  value_or_throw(runtime_.synchronize(stream_));
}

RondoOnDevice::RondoOnDevice(Communicator& communicator, const Devices& devices,
                             InPlaceReading reading, bool graph)
    : Rondo(communicator),
      communicator_(communicator),
      runtime_(devices.runtime),
      is_by_graphs_(graph),
      stream_(value_or_throw(runtime_.create_stream(device_of_rank(communicator, devices)))),
      place_([&] {
        const DeviceInfo& info = devices.all[static_cast<std::size_t>(stream_.device)];
        return concat(stream_.device, " [", info.pci, "] ", info.name);
      }()),
      memory_(runtime_, stream_, reading == InPlaceReading::registered ? &communicator : nullptr) {
  if (reading == InPlaceReading::none || communicator.connect_devices(stream_.device)) return;
  throw Error(ErrorCode::unsupported, "--device -R: the devices of the ranks are not connected");
}

RondoOnDevice::~RondoOnDevice() {
  works_.clear();
  forget();
  static_cast<void>(runtime_.destroy_stream(stream_).ok());
}

void RondoOnDevice::forget() {
  for (auto& [key, each] : captured_) {
    static_cast<void>(runtime_.destroy_instance(each.instance).ok());
  }
  captured_.clear();
}

RondoOnDevice::Captured RondoOnDevice::capture(const ErasedCall& call) {
  value_or_throw(runtime_.begin_capture(stream_));
  Work work = communicator_.start(call, static_cast<CUstream_st*>(stream_.native));
  const DeviceGraph graph = value_or_throw(runtime_.end_capture(stream_));
  const GraphInstance instance = value_or_throw(runtime_.instantiate(graph));
  value_or_throw(runtime_.destroy_graph(graph));
  return {instance, std::move(work)};
}

RondoOnDevice::Captured& RondoOnDevice::captured(const ErasedCall& call) {
  const Key key{call.collective, call.dtype, call.op,     call.root,
                call.count,      call.send,  call.receive};
  const auto known = captured_.find(key);
  if (known != captured_.end()) return known->second;
  // Those of one size are in use at a time, on both sides.
  if (captured_.size() >= 2 * most_graphs) forget();
  return captured_.emplace(key, capture(call)).first->second;
}

void RondoOnDevice::begin(const ErasedCall& call) {
  if (is_by_graphs_) {
    value_or_throw(runtime_.launch(stream_, captured(call).instance));
    if (++launches_ % most_under_way == 0) value_or_throw(runtime_.synchronize(stream_));
    return;
  }
  works_.push_back(communicator_.start(call, static_cast<CUstream_st*>(stream_.native)));
  while (!works_.empty() && (works_.size() > most_under_way || works_.front().done())) {
    works_.front().wait();  // throws its error
    works_.pop_front();
  }
}

void RondoOnDevice::finish() {
  for (Work& work : works_) work.wait();
  works_.clear();
  value_or_throw(runtime_.synchronize(stream_));
  for (auto& [key, each] : captured_) each.work.wait();
}

}  // namespace rondo::bench
