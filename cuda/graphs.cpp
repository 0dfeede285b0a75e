#include "cuda/errors.hpp"
#include "cuda/runtime.hpp"

namespace rondo {

namespace {

cudaGraph_t native(DeviceGraph graph) {
  return static_cast<cudaGraph_t>(graph.native);
}
cudaGraphExec_t native(GraphInstance instance) {
  return static_cast<cudaGraphExec_t>(instance.native);
}

// The graph that the stream's work goes into.
Result<cudaGraph_t> graph_of(DeviceStream stream) {
  cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
  cudaGraph_t graph = nullptr;
#if CUDART_VERSION >= 13000
  const cudaError_t error = cudaStreamGetCaptureInfo(native(stream), &status, nullptr, &graph);
#else
  const cudaError_t error = cudaStreamGetCaptureInfo_v2(native(stream), &status, nullptr, &graph);
#endif
  if (error != cudaSuccess) return cuda_error("cudaStreamGetCaptureInfo", error);
  if (status == cudaStreamCaptureStatusActive) return graph;
  return Error(ErrorCode::invalid_argument, "the stream is not captured");
}

}  // namespace

Result<> CudaRuntime::begin_capture(DeviceStream stream) {
  const ChosenDevice here(stream.device);
  if (!here.chosen()) return here.chosen();
  return checked("cudaStreamBeginCapture",
                 cudaStreamBeginCapture(native(stream), cudaStreamCaptureModeGlobal));
}

Result<DeviceGraph> CudaRuntime::end_capture(DeviceStream stream) {
  const ChosenDevice here(stream.device);
  if (!here.chosen()) return here.chosen().error();
  cudaGraph_t graph = nullptr;
  const cudaError_t error = cudaStreamEndCapture(native(stream), &graph);
  if (error != cudaSuccess) return cuda_error("cudaStreamEndCapture", error);
  return DeviceGraph{graph, stream.device};
}

Result<Capture> CudaRuntime::capture_of(DeviceStream stream) {
  const ChosenDevice here(stream.device);
  if (!here.chosen()) return here.chosen().error();
  cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
  const cudaError_t error = cudaStreamIsCapturing(native(stream), &status);
  // The default stream while another one is captured.
  if (error == cudaErrorStreamCaptureImplicit) {
    static_cast<void>(cudaGetLastError());
    return Capture::broken;
  }
  if (error != cudaSuccess) return cuda_error("cudaStreamIsCapturing", error);
  if (status == cudaStreamCaptureStatusNone) return Capture::none;
  return status == cudaStreamCaptureStatusActive ? Capture::active : Capture::broken;
}

Result<> CudaRuntime::keep_in_graph(DeviceStream stream, void (*release)(void*), void* object) {
  const ChosenDevice here(stream.device);
  const Result<cudaGraph_t> graph = here.chosen() ? graph_of(stream) : here.chosen().error();
  cudaUserObject_t kept = nullptr;
  Result<> done = graph ? Result<>() : graph.error();
  if (done) {
    done = checked("cudaUserObjectCreate",
                   cudaUserObjectCreate(&kept, object, release, 1, cudaUserObjectNoDestructorSync));
  }
  if (!done) {
    release(object);
    return done;
  }
  done = checked("cudaGraphRetainUserObject",
                 cudaGraphRetainUserObject(graph.value(), kept, 1, cudaGraphUserObjectMove));
  if (!done) static_cast<void>(cudaUserObjectRelease(kept, 1));  // calls it
  return done;
}

Result<> CudaRuntime::destroy_graph(DeviceGraph graph) {
  const ChosenDevice here(graph.device);
  if (!here.chosen()) return here.chosen();
  return checked("cudaGraphDestroy", cudaGraphDestroy(native(graph)));
}

Result<GraphInstance> CudaRuntime::instantiate(DeviceGraph graph) {
  const ChosenDevice here(graph.device);
  if (!here.chosen()) return here.chosen().error();
  cudaGraphExec_t instance = nullptr;
  const cudaError_t error = cudaGraphInstantiate(&instance, native(graph), 0);
  if (error != cudaSuccess) return cuda_error("cudaGraphInstantiate", error);
  return GraphInstance{instance, graph.device};
}

Result<> CudaRuntime::launch(DeviceStream stream, GraphInstance instance) {
  const ChosenDevice here(stream.device);
  if (!here.chosen()) return here.chosen();
  return checked("cudaGraphLaunch", cudaGraphLaunch(native(instance), native(stream)));
}

Result<> CudaRuntime::destroy_instance(GraphInstance instance) {
  const ChosenDevice here(instance.device);
  if (!here.chosen()) return here.chosen();
  return checked("cudaGraphExecDestroy", cudaGraphExecDestroy(native(instance)));
}

}  // namespace rondo
