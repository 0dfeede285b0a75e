// An emulated machine in the place of librondo-cuda, for programs that load it. All ranks of a
// process are one process to it; with EMULATED_PROCESSES set, each thread that asks is one.
// EMULATED_DEVICES says how many devices there are, if not one, EMULATED_MEMORY how many bytes each
// of them has, and EMULATED_COPY_RATE how many bytes a second a stream copies.

#include <cstdlib>

#include "device/emulated/machine.hpp"
#include "rondo/export.hpp"

/// The type is OpenDeviceRuntime.
extern "C" RONDO_API void rondo_open_device_runtime(std::uint32_t version,
                                                    rondo::Result<rondo::DeviceRuntime*>* opened);

static std::size_t number_in(const char* variable, std::size_t otherwise) {
  const char* const text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

extern "C" void rondo_open_device_runtime(std::uint32_t version,
                                          rondo::Result<rondo::DeviceRuntime*>* opened) {
  using namespace rondo;
  static test::Machine machine(static_cast<int>(number_in("EMULATED_DEVICES", 1)),
                               number_in("EMULATED_MEMORY", std::size_t{64} << 20));
  machine.bytes_per_second = number_in("EMULATED_COPY_RATE", 0);
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
