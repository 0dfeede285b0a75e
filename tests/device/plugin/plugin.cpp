// An emulated machine in the place of librondo-cuda, for programs that load it. All ranks of a
// process are one process to it; with EMULATED_PROCESSES set, each thread that asks is one.
// EMULATED_DEVICES says how many devices there are, if not one.

#include <cstdlib>

#include "device/emulated/machine.hpp"
#include "rondo/export.hpp"

/// The type is OpenDeviceRuntime.
extern "C" RONDO_API void rondo_open_device_runtime(std::uint32_t version,
                                                    rondo::Result<rondo::DeviceRuntime*>* opened);

extern "C" void rondo_open_device_runtime(std::uint32_t version,
                                          rondo::Result<rondo::DeviceRuntime*>* opened) {
  using namespace rondo;
  const char* const devices = std::getenv("EMULATED_DEVICES");
  static test::Machine machine(devices == nullptr ? 1 : std::atoi(devices));
  static const std::unique_ptr<DeviceRuntime> whole = machine.process();
  static thread_local std::unique_ptr<DeviceRuntime> own;
  const bool has_many = std::getenv("EMULATED_PROCESSES") != nullptr;
  if (has_many && !own) own = machine.process();
  DeviceRuntime* const process = has_many ? own.get() : whole.get();
  if (version == device_runtime_version) {
    *opened = process;
  } else {
    *opened = Error(ErrorCode::unsupported, "the emulated devices are of another version");
  }
}
