// What Python sees of the backend. It is compiled as one unit with the others, since PyTorch's
// headers take longer than all of this.

#include <pybind11/chrono.h>
#include <torch/csrc/utils/pybind.h>

#include "bind/torch/backend.hpp"

namespace rondo_torch {
namespace {

c10::intrusive_ptr<c10d::Backend> create(const c10::intrusive_ptr<c10d::Store>& store, int rank,
                                         int size, std::chrono::milliseconds timeout,
                                         const std::string& group,
                                         const std::vector<uint64_t>& global_ranks,
                                         const std::string& shown_as) {
  return c10::make_intrusive<RondoBackend>(store, Member{rank, size, group, global_ranks, shown_as},
                                           timeout);
}

}  // namespace
}  // namespace rondo_torch

PYBIND11_MODULE(TORCH_EXTENSION_NAME, module) {
  module.def("create", &rondo_torch::create, py::call_guard<py::gil_scoped_release>());
  module.attr("torch_version") = TORCH_VERSION;
}
