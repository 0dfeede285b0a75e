#pragma once

// The devices of this process, for programs that have device memory: the library that knows them is
// loaded when somebody asks for them.

#include "bootstrap/world.hpp"
#include "device/runtime.hpp"
#include "rondo/error.hpp"

namespace rondo {

/// Lives until the process ends. Errors: unsupported, where librondo-cuda cannot be loaded. That
/// there is no driver, DeviceRuntime::devices() says.
Result<DeviceRuntime*> open_device_runtime(const Lookup& lookup);

}  // namespace rondo
