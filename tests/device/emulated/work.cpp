#include <atomic>
#include <chrono>
#include <cstring>
#include <thread>

#include "base/text.hpp"
#include "device/emulated/runtime.hpp"
#include "device/kernels/table.hpp"
#include "device/kernels/walk.hpp"

namespace rondo::test {

namespace {

constexpr std::size_t threads_of_a_kernel = 96;

template <class T, Op op>
struct Kernel {
  static void function(const ReduceArguments& arguments) {
    for (std::size_t thread = 0; thread < threads_of_a_kernel; ++thread) {
      reduce_share<T, op>(arguments, thread, threads_of_a_kernel);
    }
  }
};

using Function = void (*)(const ReduceArguments&);
constexpr element::Table<Function> kernels = element::make_table<Function, Kernel>();

// Calls by a host function are refused, and so end in an error.
thread_local bool is_in_host_function = false;

}  // namespace

Error EmulatedRuntime::refuse(const char* call, const std::string& text) const {
  return Error(ErrorCode::invalid_argument, concat(call, ": ", text));
}

Result<> EmulatedRuntime::check(const char* call, int device) const {
  if (const auto error = fate_.error()) return *error;
  if (is_in_host_function) return refuse(call, "called by a host function");
  if (device >= 0 && device < static_cast<int>(machine_.left_.size())) return {};
  return refuse(call, concat("there is no device ", device));
}

Result<std::vector<DeviceInfo>> EmulatedRuntime::devices() {
  std::vector<DeviceInfo> all(machine_.left_.size());
  const std::lock_guard lock(machine_.mutex_);
  for (std::size_t i = 0; i < all.size(); ++i) {
    all[i].name = "emulated device";
    all[i].uuid[0] = static_cast<std::uint8_t>(i + 1);
    all[i].pci = concat("0000:0", i, ":00.0");
    all[i].memory_bytes = machine_.left_[i];
    all[i].multiprocessors = 2;
  }
  return all;
}

Result<> EmulatedRuntime::reach_device(int device, int other) {
  for (const int each : {device, other}) {
    if (Result<> fine = check("reach_device", each); !fine) return fine;
  }
  if (!machine_.refuses_peers) return {};
  return Error(ErrorCode::unsupported, "reach_device: not from this device");
}

Result<DeviceLink> EmulatedRuntime::link(int device, int other) {
  for (const int each : {device, other}) {
    if (Result<> fine = check("link", each); !fine) return fine.error();
  }
  if (device == other) return refuse("link", "of a device and itself");
  if (machine_.refuses_peers) return DeviceLink::not_known;
  const bool is_linked = device / machine_.linked_by == other / machine_.linked_by;
  return is_linked ? DeviceLink::nvlink : DeviceLink::pcie;
}

Result<EmulatedStream*> EmulatedRuntime::find(const char* call, DeviceStream stream) {
  if (Result<> fine = check(call, stream.device); !fine) return fine.error();
  const std::lock_guard lock(mutex_);
  if (stream.native == nullptr) {
    auto& made = default_streams_[stream.device];
    if (!made) made = std::make_shared<EmulatedStream>(fate_, stream.device);
    return made.get();
  }
  const auto found = streams_.find(stream.native);
  if (found == streams_.end()) return refuse(call, "no such stream");
  return found->second.get();
}

Result<std::shared_ptr<EventState>> EmulatedRuntime::find(const char* call, DeviceEvent event) {
  if (const auto error = fate_.error()) return *error;
  const std::lock_guard lock(mutex_);
  const auto found = events_.find(event.native);
  if (found == events_.end()) return refuse(call, "no such event");
  if (found->second->is_destroyed) return refuse(call, "the event was destroyed by its owner");
  return found->second;
}

void EmulatedRuntime::drain(int device) {
  std::vector<std::shared_ptr<EmulatedStream>> all;  // others may destroy theirs meanwhile
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [native, stream] : streams_) all.push_back(stream);
    for (const auto& [number, stream] : default_streams_) all.push_back(stream);
  }
  for (const auto& stream : all) {
    if (device < 0 || stream->device() == device) stream->drain();
  }
}

Result<DeviceStream> EmulatedRuntime::create_stream(int device) {
  if (Result<> fine = check("create_stream", device); !fine) return fine.error();
  auto stream = std::make_shared<EmulatedStream>(fate_, device);
  const DeviceStream made{stream.get(), device};
  const std::lock_guard lock(mutex_);
  streams_[made.native] = std::move(stream);
  return made;
}

Result<> EmulatedRuntime::destroy_stream(DeviceStream stream) {
  std::shared_ptr<EmulatedStream> ending;  // outlives the lock, which its last work may want
  const std::lock_guard lock(mutex_);
  const auto found = streams_.find(stream.native);
  if (found == streams_.end()) return refuse("destroy_stream", "no such stream");
  ending = std::move(found->second);
  streams_.erase(found);
  return {};
}

Result<bool> EmulatedRuntime::is_done(DeviceStream stream) {
  const Result<EmulatedStream*> found = find_to_ask("is_done", stream);
  if (!found) return found.error();
  const bool is_idle = found.value()->is_idle();
  if (const auto error = fate_.error()) return *error;
  return is_idle;
}

Result<> EmulatedRuntime::synchronize(DeviceStream stream) {
  const Result<EmulatedStream*> found = find_to_ask("synchronize", stream);
  if (!found) return found.error();
  found.value()->drain();
  if (const auto error = fate_.error()) return *error;
  return {};
}

Result<> EmulatedRuntime::enqueue(const char* call, DeviceStream stream, EmulatedStream::Job job) {
  const Result<EmulatedStream*> found = find_to_use(call, stream);
  if (!found) return found.error();
  found.value()->enqueue(std::move(job));
  return {};
}

Result<DeviceEvent> EmulatedRuntime::create_event(int device, bool shared) {
  if (Result<> fine = check("create_event", device); !fine) return fine.error();
  auto state = std::make_shared<EventState>(shared, number_);
  const std::lock_guard lock(mutex_);
  const DeviceEvent event{state.get(), device};
  events_[event.native] = std::move(state);
  return event;
}

Result<> EmulatedRuntime::destroy_event(DeviceEvent event) {
  const std::lock_guard lock(mutex_);
  const auto found = events_.find(event.native);
  if (found == events_.end()) return refuse("destroy_event", "no such event");
  if (found->second->owner == number_) found->second->is_destroyed = true;
  events_.erase(found);
  return {};
}

Result<> EmulatedRuntime::record(DeviceStream stream, DeviceEvent event) {
  const auto state = find("record", event);
  if (!state) return state.error();
  if (Result<> fine = refuse_in_capture("record", stream); !fine) return fine;
  const std::uint64_t turn = ++state.value()->recorded;
  return enqueue("record", stream, [state = state.value(), turn]() -> Result<> {
    state->done = turn;
    return {};
  });
}

Result<> EmulatedRuntime::wait(DeviceStream stream, DeviceEvent event) {
  const auto state = find("wait", event);
  if (!state) return state.error();
  if (Result<> fine = refuse_in_capture("wait", stream); !fine) return fine;
  const std::uint64_t turn = state.value()->recorded;
  return enqueue("wait", stream, [this, state = state.value(), turn]() -> Result<> {
    fate_.await([&] { return state->done >= turn; });
    return {};
  });
}

Result<bool> EmulatedRuntime::is_done(DeviceEvent event) {
  const auto state = find("is_done", event);
  if (!state) return state.error();
  return state.value()->done >= state.value()->recorded;
}

Result<EventHandle> EmulatedRuntime::export_event(DeviceEvent event) {
  const auto state = find("export_event", event);
  if (!state) return state.error();
  if (!state.value()->is_shared) return refuse("export_event", "the event is not a shared one");
  if (state.value()->owner != number_) return refuse("export_event", "the event is another's");
  const std::lock_guard lock(machine_.mutex_);
  const std::uint64_t number = ++machine_.last_number_;
  machine_.events_[number] = state.value();
  EventHandle handle;
  std::memcpy(handle.bytes.data(), &number, sizeof(number));
  return handle;
}

Result<DeviceEvent> EmulatedRuntime::open_event(int device, const EventHandle& handle) {
  if (Result<> fine = check("open_event", device); !fine) return fine.error();
  std::uint64_t number = 0;
  std::memcpy(&number, handle.bytes.data(), sizeof(number));
  const std::scoped_lock lock(mutex_, machine_.mutex_);
  const auto found = machine_.events_.find(number);
  if (found == machine_.events_.end()) return refuse("open_event", "no such handle");
  if (found->second->owner == number_) return refuse("open_event", "exported by this process");
  if (found->second->is_destroyed) return refuse("open_event", "the event was destroyed");
  const DeviceEvent event{found->second.get(), device};
  events_[event.native] = found->second;
  return event;
}

// Neither device memory of this process nor an address where any such memory ever was.
bool EmulatedRuntime::is_host(const void* pointer) {
  const std::lock_guard lock(mutex_);
  if (mapping_of(pointer) != mappings_.end()) return false;
  auto* const address = static_cast<std::byte*>(const_cast<void*>(pointer));
  const std::lock_guard machine_lock(machine_.mutex_);
  auto found = machine_.reserved_.upper_bound(address);
  if (found == machine_.reserved_.begin()) return true;
  --found;
  return address >= found->first + found->second;
}

// What shows when work is handed over: the rest shows when it is carried out.
Result<> EmulatedRuntime::check_range(const char* call, const void* pointer, std::size_t bytes) {
  const std::lock_guard lock(mutex_);
  const auto mapping = mapping_of(pointer);
  if (mapping == mappings_.end()) return {};
  const auto offset = static_cast<const std::byte*>(pointer) - mapping->first;
  if (static_cast<std::size_t>(offset) + bytes <= mapping->second.storage->size) return {};
  return refuse(call, "beyond the end of the allocation");
}

Result<std::byte*> EmulatedRuntime::resolve(const void* pointer, std::size_t bytes,
                                            bool may_be_host) {
  if (may_be_host && is_host(pointer)) {
    return static_cast<std::byte*>(const_cast<void*>(pointer));
  }
  const std::lock_guard lock(mutex_);
  const auto mapping = mapping_of(pointer);
  if (mapping != mappings_.end() && !mapping->second.storage->is_freed) {
    const Storage& storage = *mapping->second.storage;
    const auto offset = static_cast<const std::byte*>(pointer) - mapping->first;
    if (static_cast<std::size_t>(offset) + bytes <= storage.size) return storage.bytes + offset;
  }
  return Error(ErrorCode::io, concat("an illegal address was used by device work: ", pointer));
}

Result<> EmulatedRuntime::copy(DeviceStream stream, void* to, const void* from, std::size_t bytes) {
  const Result<EmulatedStream*> found = find_to_use("copy", stream);
  if (!found) return found.error();
  for (const void* const pointer : {static_cast<const void*>(to), from}) {
    if (Result<> fine = check_range("copy", pointer, bytes); !fine) return fine;
  }
  // Pageable memory is read now, and what goes there is there when the call returns.
  if (is_host(from) || is_host(to)) {
    if (Result<> fine = refuse_in_capture("copy", stream); !fine) return fine;
  }
  std::shared_ptr<std::vector<std::byte>> snapshot;
  if (is_host(from)) {
    const auto* const begin = static_cast<const std::byte*>(from);
    snapshot = std::make_shared<std::vector<std::byte>>(begin, begin + bytes);
  }
  found.value()->enqueue([=, this]() -> Result<> {
    fate_.await([this] { return machine_.copies_left > 0; });
    --machine_.copies_left;
    const auto begin = std::chrono::steady_clock::now();
    const Result<std::byte*> target = resolve(to, bytes, true);
    if (!target) return target.error();
    const Result<std::byte*> source = snapshot ? snapshot->data() : resolve(from, bytes, true);
    if (!source) return source.error();
    if (bytes > 0) std::memmove(target.value(), source.value(), bytes);
    if (const std::uint64_t rate = machine_.bytes_per_second; rate > 0) {
      std::this_thread::sleep_until(begin + std::chrono::nanoseconds(bytes * 1'000'000'000 / rate));
    }
    ++machine_.copies;
    return {};
  });
  return is_host(to) ? synchronize(stream) : Result<>();
}

Result<> EmulatedRuntime::reduce(DeviceStream stream, const DeviceReduction& reduction) {
  Result<ReduceArguments> made = arguments_of(reduction);
  if (!made) return made.error();
  if (is_to_die_) die();
  ++machine_.kernels;
  const Function kernel = element::find(kernels, reduction.dtype, reduction.op);
  const std::size_t bytes = reduction.count * size_of(reduction.dtype);
  return enqueue("reduce", stream, [=, this, given = made.value()]() -> Result<> {
    ReduceArguments arguments = given;  // anew each time that a graph is carried out
    if (const Result<bool> stopped = is_stopped(arguments.stop); !stopped || stopped.value()) {
      return stopped ? Result<>() : stopped.error();
    }
    for (int s = 0; s < arguments.source_count; ++s) {
      const Result<std::byte*> source = resolve(arguments.sources[s], bytes, false);
      if (!source) return source.error();
      arguments.sources[s] = source.value();
    }
    for (int d = 0; d < arguments.destination_count; ++d) {
      const Result<std::byte*> destination = resolve(arguments.destinations[d], bytes, false);
      if (!destination) return destination.error();
      arguments.destinations[d] = destination.value();
    }
    kernel(arguments);
    return {};
  });
}

void EmulatedRuntime::die() {
  fate_.fail(Error(ErrorCode::io, "the process was killed"));
  const std::lock_guard lock(mutex_);
  for (const auto& [base, mapping] : mappings_) {
    const bool is_own = mapping.origin == Origin::own;
    if (is_own && !mapping.storage->outlives_owner()) mapping.storage->is_freed = true;
  }
}

// As each thread of a kernel looks before it begins.
Result<bool> EmulatedRuntime::is_stopped(const std::uint32_t* stop) {
  if (stop == nullptr) return false;
  const Result<std::byte*> place = resolve(stop, sizeof(std::uint32_t), false);
  if (!place) return place.error();
  return rondo::is_stopped(reinterpret_cast<const std::uint32_t*>(place.value()));
}

Result<> EmulatedRuntime::copy_all(DeviceStream stream, std::span<const DeviceCopy> copies,
                                   const std::uint32_t* stop) {
  if (is_to_die_) die();
  ++machine_.kernels;
  const std::vector<DeviceCopy> all(copies.begin(), copies.end());
  return enqueue("copy_all", stream, [=, this]() -> Result<> {
    if (const Result<bool> stopped = is_stopped(stop); !stopped || stopped.value()) {
      return stopped ? Result<>() : stopped.error();
    }
    for (DeviceCopy copy : all) {
      const Result<std::byte*> to = resolve(copy.to, copy.bytes, false);
      if (!to) return to.error();
      const Result<std::byte*> from = resolve(copy.from, copy.bytes, false);
      if (!from) return from.error();
      copy = {to.value(), from.value(), copy.bytes};
      for (std::size_t thread = 0; thread < threads_of_a_kernel; ++thread) {
        copy_share(copy, thread, threads_of_a_kernel);
      }
    }
    return {};
  });
}

// Device or pinned memory, which must be there when the call is made.
Result<std::uint32_t*> EmulatedRuntime::word_at(const char* call, const void* word) {
  const Result<MemoryInfo> info = describe(word);
  if (!info) return info.error();
  const bool is_possible =
      info.value().kind == MemoryKind::device || info.value().kind == MemoryKind::pinned;
  if (!is_possible) return refuse(call, "a value in neither device nor pinned memory");
  const Result<std::byte*> place = resolve(word, sizeof(std::uint32_t), false);
  if (!place) return place.error();
  return reinterpret_cast<std::uint32_t*>(place.value());
}

// Ranks of one process may have mapped a page of words each for itself. ThreadSanitizer takes a
// word with two addresses for two words: here it sees that who waited comes after who wrote.
static std::atomic<std::uint32_t> words_written = 0;

Result<> EmulatedRuntime::write_value(DeviceStream stream, std::uint32_t* word,
                                      std::uint32_t value) {
  const Result<std::uint32_t*> place = word_at("write_value", word);
  if (!place) return place.error();
  return enqueue("write_value", stream, [place = place.value(), value]() -> Result<> {
    words_written.fetch_add(1, std::memory_order_release);
    std::atomic_ref(*place).store(value, std::memory_order_release);
    return {};
  });
}

Result<> EmulatedRuntime::wait_value(DeviceStream stream, std::uint32_t* word,
                                     std::uint32_t value) {
  const Result<std::uint32_t*> place = word_at("wait_value", word);
  if (!place) return place.error();
  return enqueue("wait_value", stream, [this, place = place.value(), value]() -> Result<> {
    fate_.await([&] {
      const std::uint32_t now = std::atomic_ref(*place).load(std::memory_order_acquire);
      return static_cast<std::int32_t>(now - value) >= 0;
    });
    (void)words_written.load(std::memory_order_acquire);
    return {};
  });
}

Result<> EmulatedRuntime::call_host(DeviceStream stream, void (*function)(void*), void* argument) {
  return enqueue("call_host", stream, [=, this]() -> Result<> {
    is_in_host_function = true;
    function(argument);
    is_in_host_function = false;
    ++machine_.host_calls;
    return {};
  });
}

}  // namespace rondo::test
