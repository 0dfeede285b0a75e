#include "topology/discover.hpp"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

namespace rondo::testing {
namespace {

TEST(Discover, FindsThisProcessOnThisHost) {
  const Result<Topology> found = discover_topology();
  ASSERT_TRUE(found.ok()) << found.error().what();
  const Topology& topology = found.value();
  ASSERT_EQ(topology.hosts.size(), 1u);
  ASSERT_EQ(topology.ranks.size(), 1u);
  EXPECT_FALSE(topology.machines.at(0).cores.empty());
  EXPECT_FALSE(topology.ranks[0].pus.empty());
  EXPECT_EQ(parse_topology(to_text(topology)).value(), topology);
  EXPECT_EQ(discover_topology().value(), topology) << "the same every time";
}

TEST(Discover, TheHostIsNotItsName) {
  const std::string id = discover_topology().value().hosts[0].id;
  std::string name(256, '\0');
  ASSERT_EQ(gethostname(name.data(), name.size()), 0);
  name.resize(name.find('\0'));
  EXPECT_EQ(id.size(), 16u);
  EXPECT_EQ(id.find(name), id.npos);
}

// In a process of its own, as the binding would last.
TEST(Discover, SeesTheBinding) {
  const pid_t child = fork();
  ASSERT_NE(child, -1);
  if (child == 0) {
    cpu_set_t mask;
    sched_getaffinity(0, sizeof mask, &mask);
    int last = 0;
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (CPU_ISSET(cpu, &mask)) last = cpu;
    }
    CPU_ZERO(&mask);
    CPU_SET(last, &mask);
    const bool bound = sched_setaffinity(0, sizeof mask, &mask) == 0;
    const Result<Topology> found = discover_topology();
    const bool right = found.ok() && found.value().ranks[0].pus == std::vector{last};
    _exit(!bound || right ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST(Discover, ProcessorsOfX86) {
  const Machine machine = machine_of_cpuinfo(
      "processor\t: 0\nphysical id\t: 0\ncore id\t\t: 0\n\n"
      "processor\t: 1\nphysical id\t: 3\ncore id\t\t: 0\n\n"
      "processor\t: 2\nphysical id\t: 0\ncore id\t\t: 0\n\n"
      "processor\t: 3\nphysical id\t: 3\ncore id\t\t: 7\n",
      {});
  EXPECT_TRUE(machine.cores_known);
  EXPECT_FALSE(machine.devices_known);
  const std::vector<Core> cores = {{0, unknown, unknown, unknown, {0, 2}},
                                   {1, unknown, unknown, unknown, {1}},
                                   {1, unknown, unknown, unknown, {3}}};
  EXPECT_EQ(machine.cores, cores);
}

TEST(Discover, ProcessorsWithoutPlaces) {
  const Machine machine = machine_of_cpuinfo("processor : 0\nBogoMIPS : 50\n\nprocessor : 1\n", {});
  EXPECT_FALSE(machine.cores_known);
  EXPECT_EQ(machine.cores.size(), 2u);
  EXPECT_EQ(path_class(machine, {ObjectKind::pu, 0}, {ObjectKind::pu, 1}), PathClass::host);
  EXPECT_EQ(machine_of_cpuinfo("nonsense : : \n::", {4, 6}).cores.size(), 2u);
  EXPECT_EQ(machine_of_cpuinfo("", {}).cores.size(), 0u);
  EXPECT_EQ(machine_of_cpuinfo("processor : 99999999\nprocessor : -2", {1}).cores[0].pus,
            std::vector{1});
}

}  // namespace
}  // namespace rondo::testing
