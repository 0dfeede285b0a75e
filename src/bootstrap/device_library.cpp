#include "bootstrap/device_library.hpp"

#include <dlfcn.h>

#include "bootstrap/plugin.hpp"

namespace rondo {

Result<DeviceRuntime*> open_device_runtime(const Lookup& lookup) {
  constexpr Plugin plugin = {"librondo-cuda.so.0", "device memory", "nvcc"};
  const Result<void*> entry =
      load_plugin(lookup, plugin, RTLD_NOW | RTLD_LOCAL, device_runtime_entry);
  if (!entry) return entry.error();
  Result<DeviceRuntime*> opened = nullptr;
  reinterpret_cast<OpenDeviceRuntime*>(entry.value())(device_runtime_version, &opened);
  return opened;
}

}  // namespace rondo
