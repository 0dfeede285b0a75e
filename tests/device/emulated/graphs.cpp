// Capture into graphs, in the mode that is the strictest of CUDA's. There are no forks and joins of
// streams, and no graphs within graphs.

#include "base/text.hpp"
#include "device/emulated/runtime.hpp"

namespace rondo::test {

std::vector<std::shared_ptr<EmulatedStream>> EmulatedRuntime::captured_streams() {
  std::vector<std::shared_ptr<EmulatedStream>> found;
  const std::lock_guard lock(mutex_);
  for (const auto& [native, stream] : streams_) {
    if (stream->capture() != Capture::none) found.push_back(stream);
  }
  return found;
}

// Work of the default stream would come between that of all others.
Result<EmulatedStream*> EmulatedRuntime::find_to_use(const char* call, DeviceStream stream) {
  const Result<EmulatedStream*> found = find(call, stream);
  if (!found) return found;
  if (stream.native == nullptr) {
    const auto captured = captured_streams();
    for (const auto& each : captured) each->break_capture();
    if (!captured.empty()) return refuse(call, "the default stream, while another is captured");
  } else if (found.value()->capture() == Capture::broken) {
    return refuse(call, "the capture of the stream is broken");
  }
  return found;
}

Result<EmulatedStream*> EmulatedRuntime::find_to_ask(const char* call, DeviceStream stream) {
  const Result<EmulatedStream*> found = find_to_use(call, stream);
  if (!found) return found;
  if (Result<> fine = refuse_in_capture(call, stream); !fine) return fine.error();
  return found;
}

Result<> EmulatedRuntime::refuse_in_capture(const char* call, DeviceStream stream) {
  const Result<EmulatedStream*> found = find(call, stream);
  if (!found) return found.error();
  if (found.value()->capture() == Capture::none) return {};
  found.value()->break_capture();
  return refuse(call, "not while the stream is captured");
}

Result<> EmulatedRuntime::begin_capture(DeviceStream stream) {
  const Result<EmulatedStream*> found = find("begin_capture", stream);
  if (!found) return found.error();
  if (stream.native == nullptr) return refuse("begin_capture", "the default stream");
  if (found.value()->begin_capture()) return {};
  return refuse("begin_capture", "the stream is captured already");
}

Result<DeviceGraph> EmulatedRuntime::end_capture(DeviceStream stream) {
  const Result<EmulatedStream*> found = find("end_capture", stream);
  if (!found) return found.error();
  std::shared_ptr<EmulatedGraph> graph = found.value()->end_capture();
  if (!graph) return refuse("end_capture", "no capture, a broken one, or another thread's");
  const DeviceGraph made{graph.get(), stream.device};
  const std::lock_guard lock(mutex_);
  graphs_[made.native] = std::move(graph);
  return made;
}

Result<Capture> EmulatedRuntime::capture_of(DeviceStream stream) {
  const Result<EmulatedStream*> found = find("capture_of", stream);
  if (!found) return found.error();
  if (stream.native == nullptr && !captured_streams().empty()) return Capture::broken;
  return found.value()->capture();
}

Result<> EmulatedRuntime::keep_in_graph(DeviceStream stream, void (*release)(void*), void* object) {
  const Result<EmulatedStream*> found = find("keep_in_graph", stream);
  if (found && found.value()->keep({release, object})) return {};
  release(object);
  return found ? refuse("keep_in_graph", "the stream is not captured") : found.error();
}

Result<> EmulatedRuntime::destroy_graph(DeviceGraph graph) {
  std::shared_ptr<EmulatedGraph> ending;  // outlives the lock
  const std::lock_guard lock(mutex_);
  const auto found = graphs_.find(graph.native);
  if (found == graphs_.end()) return refuse("destroy_graph", "no such graph");
  ending = std::move(found->second);
  graphs_.erase(found);
  return {};
}

Result<GraphInstance> EmulatedRuntime::instantiate(DeviceGraph graph) {
  if (Result<> fine = check("instantiate", graph.device); !fine) return fine.error();
  auto instance = std::make_shared<Instance>();
  const std::lock_guard lock(mutex_);
  const auto found = graphs_.find(graph.native);
  if (found == graphs_.end()) return refuse("instantiate", "no such graph");
  instance->graph = found->second;
  const GraphInstance made{instance.get(), graph.device};
  instances_[made.native] = std::move(instance);
  return made;
}

Result<> EmulatedRuntime::launch(DeviceStream stream, GraphInstance instance) {
  if (Result<> fine = refuse_in_capture("launch", stream); !fine) return fine;
  std::shared_ptr<Instance> kept;
  std::uint64_t turn = 0;
  {
    const std::lock_guard lock(mutex_);
    const auto found = instances_.find(instance.native);
    if (found == instances_.end()) return refuse("launch", "no such instance");
    kept = found->second;
    turn = ++kept->launched;
  }
  return enqueue("launch", stream, [this, kept, turn]() -> Result<> {
    fate_.await([&] { return kept->done + 1 == turn; });
    for (const EmulatedGraph::Job& job : kept->graph->jobs) {
      if (fate_.is_sealed()) return {};
      if (Result<> done = job(); !done) return done;
    }
    kept->done = turn;
    return {};
  });
}

Result<> EmulatedRuntime::destroy_instance(GraphInstance instance) {
  std::shared_ptr<Instance> ending;
  const std::lock_guard lock(mutex_);
  const auto found = instances_.find(instance.native);
  if (found == instances_.end()) return refuse("destroy_instance", "no such instance");
  ending = std::move(found->second);
  instances_.erase(found);
  return {};
}

}  // namespace rondo::test
