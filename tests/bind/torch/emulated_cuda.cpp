// CUDA devices for a PyTorch that was built without: one of those that rondo's tests emulate, with
// its streams and events. Tensors are in pinned memory, which the host reads and writes. So the
// CPU's kernels do what PyTorch computes, when the current stream is through with what came before.

#include <ATen/ATen.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <dlfcn.h>
#include <torch/csrc/utils/pybind.h>
#include <torch/library.h>

#include <atomic>
#include <mutex>
#include <thread>

#include "device/runtime.hpp"

namespace {

const c10::Device cuda(c10::DeviceType::CUDA, 0);

template <class T>
T must(rondo::Result<T> result) {
  if (!result) throw std::runtime_error(result.error().what());
  if constexpr (!std::is_void_v<T>) return std::move(result).value();
}

rondo::DeviceRuntime& runtime() {
  static rondo::DeviceRuntime* const opened = [] {
    const std::string path = std::string(std::getenv("RONDO_PLUGIN_PATH")) + "/librondo-cuda.so.0";
    void* const library = dlopen(path.c_str(), RTLD_NOW);
    if (library == nullptr) throw std::runtime_error(dlerror());
    auto* const open =
        reinterpret_cast<rondo::OpenDeviceRuntime*>(dlsym(library, rondo::device_runtime_entry));
    rondo::Result<rondo::DeviceRuntime*> result = nullptr;
    open(rondo::device_runtime_version, &result);
    return must(std::move(result));
  }();
  return *opened;
}

// By the numbers that PyTorch has for them; 0 is the default stream.
class Streams {
 public:
  static Streams& all() {
    static Streams streams;
    return streams;
  }
  c10::StreamId add() {
    const std::lock_guard lock(mutex_);
    made_.push_back(must(runtime().create_stream(0)));
    return static_cast<c10::StreamId>(made_.size() - 1);
  }
  rondo::DeviceStream operator[](c10::StreamId id) {
    const std::lock_guard lock(mutex_);
    return made_.at(static_cast<std::size_t>(id));
  }

 private:
  std::mutex mutex_;
  std::vector<rondo::DeviceStream> made_ = std::vector<rondo::DeviceStream>(1);
};

thread_local c10::StreamId current = 0;
std::atomic<int> recorded = 0;

class Guard final : public c10::impl::DeviceGuardImplInterface {
 public:
  c10::DeviceType type() const override { return c10::DeviceType::CUDA; }
  c10::Device exchangeDevice(c10::Device) const override { return cuda; }
  c10::Device getDevice() const override { return cuda; }
  void setDevice(c10::Device) const override {}
  void uncheckedSetDevice(c10::Device) const noexcept override {}
  c10::DeviceIndex deviceCount() const noexcept override { return 1; }

  c10::Stream getStream(c10::Device) const override { return stream(current); }
  c10::Stream getDefaultStream(c10::Device) const override { return stream(0); }
  c10::Stream getStreamFromGlobalPool(c10::Device, bool) const override {
    return stream(Streams::all().add());
  }
  c10::Stream exchangeStream(c10::Stream to) const override {
    return stream(std::exchange(current, to.id()));
  }
  void* getStreamNativeHandle(const c10::Stream of) const override {
    return Streams::all()[of.id()].native;
  }
  bool queryStream(const c10::Stream& of) const override {
    return must(runtime().is_done(Streams::all()[of.id()]));
  }
  void synchronizeStream(const c10::Stream& of) const override {
    must(runtime().synchronize(Streams::all()[of.id()]));
  }

  void record(void** event, const c10::Stream& in, const c10::DeviceIndex,
              const c10::EventFlag) const override {
    if (*event == nullptr) *event = new rondo::DeviceEvent(must(runtime().create_event(0, false)));
    must(runtime().record(Streams::all()[in.id()], of(*event)));
  }
  void block(void* event, const c10::Stream& in) const override {
    must(runtime().wait(Streams::all()[in.id()], of(event)));
  }
  bool queryEvent(void* event) const override { return must(runtime().is_done(of(event))); }
  void synchronizeEvent(void* event) const override {
    while (!queryEvent(event)) std::this_thread::yield();
  }
  void destroyEvent(void* event, const c10::DeviceIndex) const noexcept override {
    if (event == nullptr) return;
    static_cast<void>(runtime().destroy_event(of(event)).ok());
    delete static_cast<rondo::DeviceEvent*>(event);
  }
  void recordDataPtrOnStream(const c10::DataPtr&, const c10::Stream&) const override { ++recorded; }

 private:
  static c10::Stream stream(c10::StreamId id) { return c10::Stream(c10::Stream::UNSAFE, cuda, id); }
  static rondo::DeviceEvent of(void* event) { return *static_cast<rondo::DeviceEvent*>(event); }
};
C10_REGISTER_GUARD_IMPL(CUDA, Guard);

// Pinned memory is never freed: that would wait for all streams.
void* allocate(std::size_t bytes) {
  constexpr std::size_t capacity = std::size_t{32} << 20;
  static std::mutex mutex;
  static auto* const begin =
      static_cast<std::byte*>(must(runtime().allocate(rondo::Allocation::pinned, 0, capacity)));
  static std::size_t used = 0;
  const std::lock_guard lock(mutex);
  std::byte* const place = begin + used;
  used += (bytes + 63) / 64 * 64;
  TORCH_CHECK(used <= capacity, "the test has too little memory");
  return place;
}

at::Tensor at_place(const at::Tensor& like, void* place, c10::Device device) {
  return at::for_blob(place, like.sizes())
      .strides(like.strides())
      .options(like.options().device(device))
      .target_device(device)
      .make_tensor();
}

at::Tensor on_host(const at::Tensor& tensor) {
  return at_place(tensor, tensor.data_ptr(), at::kCPU);
}

at::Tensor on_device(const at::Tensor& tensor) {
  const at::Tensor made = at_place(tensor, allocate(tensor.storage().nbytes()), cuda);
  on_host(made).copy_(tensor);
  return made;
}

// The tensors of an operation, as the CPU sees them, and what it gave back as the device has it.
class Translation {
 public:
  c10::IValue given(const c10::IValue& value) {
    if (value.isTensor()) return value.toTensor().defined() ? given(value.toTensor()) : value;
    if (value.isTensorList()) {
      c10::List<at::Tensor> list;
      for (const at::Tensor& each : value.toTensorVector()) list.push_back(given(each));
      return list;
    }
    if (value.isDevice()) return c10::Device(at::kCPU);
    return value;
  }
  c10::IValue given_back(const c10::IValue& value) {
    if (!value.isTensor() || !value.toTensor().defined()) return value;
    const at::Tensor& tensor = value.toTensor();
    for (const auto& [original, seen] : seen_) {
      if (seen.is_same(tensor)) return original;
      if (seen.storage().data() == tensor.storage().data()) {
        return at_place(tensor, tensor.data_ptr(), cuda);
      }
    }
    return on_device(tensor);
  }

 private:
  at::Tensor given(const at::Tensor& tensor) {
    if (!tensor.is_cuda()) return tensor;
    return seen_.emplace_back(tensor, on_host(tensor)).second;
  }

  std::vector<std::pair<at::Tensor, at::Tensor>> seen_;
};

void carry_out(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  must(runtime().synchronize(Streams::all()[current]));
  Translation translation;
  const std::size_t arguments = op.schema().arguments().size();
  for (std::size_t i = stack->size() - arguments; i < stack->size(); ++i) {
    (*stack)[i] = translation.given((*stack)[i]);
  }
  op.callBoxed(stack);
  const std::size_t results = op.schema().returns().size();
  for (std::size_t i = stack->size() - results; i < stack->size(); ++i) {
    (*stack)[i] = translation.given_back((*stack)[i]);
  }
}

at::Tensor& copy(at::Tensor& to, const at::Tensor& from, bool) {
  must(runtime().synchronize(Streams::all()[current]));
  (to.is_cuda() ? on_host(to) : to).copy_(from.is_cuda() ? on_host(from) : from);
  return to;
}

at::Tensor to_copy(const at::Tensor& from, std::optional<at::ScalarType> type,
                   std::optional<at::Layout>, std::optional<at::Device> device, std::optional<bool>,
                   bool, std::optional<at::MemoryFormat>) {
  must(runtime().synchronize(Streams::all()[current]));
  const at::Tensor made = on_host(from).to(type.value_or(from.scalar_type()), false, true);
  return device.value_or(from.device()).is_cpu() ? made : on_device(made);
}

TORCH_LIBRARY_IMPL(_, CUDA, library) {
  library.fallback(torch::CppFunction::makeFromBoxedFunction<&carry_out>());
}
TORCH_LIBRARY_IMPL(aten, CUDA, library) {
  library.impl("copy_", copy);
  library.impl("_to_copy", to_copy);
}

// Holds a stream until it is told to let it go.
class Gate {
 public:
  Gate() : word_(static_cast<std::uint32_t*>(allocate(4))) {
    *word_ = 0;
    must(runtime().wait_value(Streams::all()[current], word_, 1));
  }
  void open() { std::atomic_ref(*word_).store(1); }

 private:
  std::uint32_t* word_;
};

}  // namespace

PYBIND11_MODULE(TORCH_EXTENSION_NAME, module) {
  const py::call_guard<py::gil_scoped_release> without_gil;
  module.def("on_device", &on_device, without_gil);
  module.def("on_host", &on_host, without_gil);
  module.def(
      "synchronize", [] { must(runtime().synchronize(Streams::all()[current])); }, without_gil);
  module.def("use_new_stream", [] { current = Streams::all().add(); });
  module.def("recorded", [] { return recorded.load(); });
  py::class_<Gate>(module, "Gate").def(py::init<>()).def("open", &Gate::open);
}
