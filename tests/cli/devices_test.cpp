// The devices in what `rondo topo` shows: those of the library that RONDO_PLUGIN_PATH names.

#include "cli/devices.hpp"

#include "cli/command.hpp"

namespace rondo::cli {
namespace {

using testing::expect;

DeviceInfo h200() {
  DeviceInfo device;
  device.name = "NVIDIA \"H200\"";
  for (std::uint8_t i = 0; i < device.uuid.size(); ++i) device.uuid[i] = std::uint8_t(0x10 + i);
  device.pci = "0000:19:00.0";
  device.memory_bytes = (std::size_t{139} << 30) + 12345;
  device.multiprocessors = 132;
  return device;
}

TEST(Devices, AreAParagraph) {
  DeviceInfo nameless;
  EXPECT_EQ(devices_text(std::vector{h200(), nameless}),
            "devices\n"
            "  0: NVIDIA \"H200\", PCI 0000:19:00.0, 132 multiprocessors, 139 GiB, "
            "GPU-10111213-1415-1617-1819-1a1b1c1d1e1f\n"
            "  1: , 0 multiprocessors, 0 B, GPU-00000000-0000-0000-0000-000000000000\n");
}

TEST(Devices, AreMembersOfAnObject) {
  EXPECT_EQ(with_devices("{\"a\":{\"b\":1}}\n", std::vector{h200()}),
            "{\"a\":{\"b\":1},\"devices\":[{\"name\":\"NVIDIA \\\"H200\\\"\","
            "\"uuid\":\"GPU-10111213-1415-1617-1819-1a1b1c1d1e1f\",\"pci\":\"0000:19:00.0\","
            "\"multiprocessors\":132,\"memory_bytes\":149250125881}],"
            "\"no_devices_because\":null}\n");
}

TEST(Devices, AreMissingForAReason) {
  const Result<std::vector<DeviceInfo>> none = std::vector<DeviceInfo>();
  EXPECT_EQ(devices_text(none), "devices: none: the driver says that there is no device\n");
  EXPECT_EQ(with_devices("{\"a\":1}\n", none),
            "{\"a\":1,\"devices\":[],\"no_devices_because\":\"the driver says that there is no "
            "device\"}\n");
  const Result<std::vector<DeviceInfo>> error = Error(ErrorCode::unsupported, "no \"driver\"");
  EXPECT_EQ(devices_text(error), "devices: none: no \"driver\"\n");
  EXPECT_EQ(with_devices("{\"a\":1}\n", error),
            "{\"a\":1,\"devices\":[],\"no_devices_because\":\"no \\\"driver\\\"\"}\n");
}

// Where the library is missing, the reason names places that differ from program to program.
TEST(Devices, AreShownWithThePresentHostOnly) {
  std::string text = devices_text(find_devices());
  if (const auto end = text.find(" is found: "); end != std::string::npos) text.resize(end);
  for (const char* here : {"topo", "topo --ranks 2", "run -n 2 --no-prefix -- '$0' topo"}) {
    std::string line = here;
    if (const auto name = line.find("$0"); name != line.npos) {
      line.replace(name, 2, testing::command_path);
    }
    expect(line, 0, text);
  }
  const std::string made_up = testing::rondo("topo --synthetic '2 hosts x 2 cores'").output;
  EXPECT_EQ(made_up.find("devices"), made_up.npos) << made_up;
  const std::string for_files = testing::rondo("topo --text").output;
  EXPECT_EQ(for_files.find(text), for_files.npos) << for_files;
  expect("topo --json", 0, ",\"no_devices_because\":");
}

TEST(Devices, AreThoseOfTheLibraryThatWasFound) {
  const char* const set = std::getenv("TEST_DEVICES");
  ASSERT_NE(set, nullptr);
  const std::string kind = set;
  if (kind == "emulated") {
    expect("topo", 0, "  0: emulated device, PCI 0000:00:00.0, 2 multiprocessors, 64 MiB, GPU-01");
    expect("topo --json", 0, "\"devices\":[{\"name\":\"emulated device\",\"uuid\":\"GPU-01");
    const testing::Variable none("EMULATED_DEVICES", "0");
    expect("topo", 0, "devices: none: the driver says that there is no device\n");
  } else if (kind == "no" && !find_devices()) {
    expect("topo", 0, "devices: none: device memory needs librondo-cuda.so.0, which is built");
    expect("topo --json", 0, "\"devices\":[],\"no_devices_because\":\"device memory needs");
  }
}

}  // namespace
}  // namespace rondo::cli
