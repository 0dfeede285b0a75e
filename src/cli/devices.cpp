#include "cli/devices.hpp"

#include "api/device/measure.hpp"
#include "base/text.hpp"
#include "base/units.hpp"
#include "bootstrap/device_library.hpp"
#include "bootstrap/environment.hpp"

namespace rondo::cli {

namespace {

using Devices = std::vector<DeviceInfo>;

// Empty where there are some.
std::string why_none(const Result<Devices>& devices) {
  if (!devices) return devices.error().text();
  return devices.value().empty() ? "the driver says that there is no device" : "";
}

// As nvidia-smi and NCCL write it.
std::string uuid_text(const DeviceInfo& device) {
  constexpr const char* digits = "0123456789abcdef";
  std::string text = "GPU-";
  for (std::size_t i = 0; i < device.uuid.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += digits[device.uuid[i] >> 4];
    text += digits[device.uuid[i] & 15];
  }
  return text;
}

std::string json(const DeviceInfo& device) {
  return concat("{\"name\":", json_text(device.name), ",\"uuid\":", json_text(uuid_text(device)),
                ",\"pci\":", device.pci.empty() ? "null" : json_text(device.pci),
                ",\"multiprocessors\":", device.multiprocessors,
                ",\"memory_bytes\":", device.memory_bytes, "}");
}

}  // namespace

Result<Devices> find_devices() {
  const Result<DeviceRuntime*> opened = open_device_runtime(process_environment);
  if (!opened) return opened.error();
  return opened.value()->devices();
}

std::string known_devices_name(const Topology& topology) {
  const Result<Devices> devices = find_devices();
  if (!devices || devices.value().empty()) return {};
  const auto host = static_cast<std::size_t>(topology.ranks.front().host);
  const auto machine = static_cast<std::size_t>(topology.hosts[host].machine);
  return device_costs_name(topology.machines[machine], devices.value().front().name);
}

std::string devices_text(const Result<Devices>& devices) {
  const std::string reason = why_none(devices);
  if (!reason.empty()) return concat("devices: none: ", reason, "\n");
  std::string text = "devices\n";
  int number = 0;
  for (const DeviceInfo& device : devices.value()) {
    constexpr std::size_t mebibyte = std::size_t{1} << 20;
    text += concat("  ", number++, ": ", device.name,
                   device.pci.empty() ? "" : ", PCI " + device.pci, ", ", device.multiprocessors,
                   " multiprocessors, ", bytes_text(device.memory_bytes / mebibyte * mebibyte),
                   ", ", uuid_text(device), "\n");
  }
  return text;
}

std::string with_devices(const std::string& json_object, const Result<Devices>& devices) {
  const std::string reason = why_none(devices);
  const auto item = [](const DeviceInfo& device) { return json(device); };
  return concat(json_object.substr(0, json_object.rfind('}')),
                ",\"devices\":", json_list(devices ? devices.value() : Devices(), item),
                ",\"no_devices_because\":", reason.empty() ? "null" : json_text(reason), "}\n");
}

}  // namespace rondo::cli
