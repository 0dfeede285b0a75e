// Machines that hwloc has described, read again. Each has its text in tests/golden/machines.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "golden.hpp"
#include "rondo/topology.hpp"

namespace rondo::testing {
namespace {

#if RONDO_HWLOC

Machine read_machine(const std::string& name) {
  std::ifstream file(std::filesystem::path(MACHINES) / (name + ".xml"));
  const std::string xml(std::istreambuf_iterator<char>(file), {});
  return import_hwloc_xml(xml).value().machines.at(0);
}

PathClass between_gpus(const Machine& machine, int left, int right) {
  return path_class(machine, {ObjectKind::gpu, left}, {ObjectKind::gpu, right});
}

TEST(Machines, AreReadAsTheGoldensSay) {
  int machines = 0;
  for (const auto& entry : std::filesystem::directory_iterator(MACHINES)) {
    if (entry.path().extension() != ".xml") continue;
    ++machines;
    std::ifstream file(entry.path());
    const std::string xml(std::istreambuf_iterator<char>(file), {});
    const Result<Topology> topology = import_hwloc_xml(xml);
    ASSERT_TRUE(topology.ok()) << entry.path() << topology.error().what();
    const std::string text = to_text(topology.value());
    const std::string stem = entry.path().stem().string();
    expect_golden("machines/" + stem + ".topology", text);
    expect_golden("machines/" + stem + ".txt", draw_text(topology.value()));
    const Result<Topology> parsed = parse_topology(text);
    ASSERT_TRUE(parsed.ok()) << parsed.error().what();
    EXPECT_EQ(parsed.value(), topology.value());
  }
  EXPECT_EQ(machines, 7);
}

TEST(Machines, ADgx2LinksAllItsGpus) {
  const Machine machine = read_machine("nvidiaDGX2");
  ASSERT_EQ(machine.gpus.size(), 16u);
  for (int i = 0; i < 16; ++i) {
    for (int j = 0; j < 16; ++j) {
      EXPECT_EQ(between_gpus(machine, i, j), i == j ? PathClass::self : PathClass::nvlink);
    }
  }
  Machine without = machine;
  without.matrices.clear();
  EXPECT_EQ(between_gpus(without, 0, 1), PathClass::pix);
  EXPECT_EQ(between_gpus(without, 0, 2), PathClass::pxb);
  EXPECT_EQ(between_gpus(without, 0, 4), PathClass::node);
  EXPECT_EQ(between_gpus(without, 0, 8), PathClass::sys);
}

TEST(Machines, APower8LinksPairsOfGpusWithTheirPackage) {
  const Machine machine = read_machine("power8gpudistances");
  ASSERT_EQ(machine.gpus.size(), 4u);
  EXPECT_EQ(between_gpus(machine, 0, 1), PathClass::nvlink);
  EXPECT_EQ(between_gpus(machine, 2, 3), PathClass::nvlink);
  EXPECT_EQ(between_gpus(machine, 1, 2), PathClass::sys);
  EXPECT_EQ(path_class(machine, {ObjectKind::gpu, 0}, {ObjectKind::core, 0}), PathClass::nvlink);
  EXPECT_EQ(path_class(machine, {ObjectKind::gpu, 0}, {ObjectKind::core, 7}), PathClass::sys);
}

TEST(Machines, NicsAreNearTheirNumaNode) {
  const Machine machine = read_machine("96em64t-4n4d3ca2co-pci");
  ASSERT_EQ(machine.nics.size(), 8u);
  for (int nic = 0; nic < 8; ++nic) {
    for (int numa = 0; numa < 4; ++numa) {
      EXPECT_EQ(path_class(machine, {ObjectKind::nic, nic}, {ObjectKind::numa, numa}),
                nic / 2 == numa ? PathClass::phb : PathClass::sys);
    }
  }
}

TEST(Machines, AFileThatIsNoMachineIsRefused) {
  for (const std::string xml : {"", "hello", "<topology version=\"2.0\">", "<a/>"}) {
    const Result<Topology> topology = import_hwloc_xml(xml);
    ASSERT_FALSE(topology.ok()) << xml;
    EXPECT_EQ(topology.error().code(), ErrorCode::invalid_argument);
    EXPECT_NE(topology.error().text().find("lstopo machine.xml"), std::string::npos);
  }
}

#else

TEST(Machines, NeedHwloc) {
  const Result<Topology> topology = import_hwloc_xml("<topology/>");
  ASSERT_FALSE(topology.ok());
  EXPECT_EQ(topology.error().code(), ErrorCode::unsupported);
  EXPECT_NE(topology.error().text().find("libhwloc-dev"), std::string::npos);
}

#endif

}  // namespace
}  // namespace rondo::testing
